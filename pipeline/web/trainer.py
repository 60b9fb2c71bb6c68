"""The process that trains before a visitor's eyes: `python -m pipeline.web.trainer`, started by trainings.py.

Standard input: a line of JSON (the settings and what the rows are), the rows' bytes, then commands, a line of JSON
each; its end is the end of this process, so that it dies with the server. Standard output: events, a line of JSON each.
The fits are those of pipeline.training, one thread each, and take turns step by step: never more than one computes.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.augment.noise import gaussian
from pipeline.dataset import Digits
from pipeline.errors import InkproofError
from pipeline.evaluation.grid import GridFold
from pipeline.evaluation.robustness.conditions import condition
from pipeline.evaluation.statistics import wilson_interval
from pipeline.prediction import model_file
from pipeline.prediction.confidence_threshold import PICTURES, DistortedHoldout, measure, training_style
from pipeline.runs.ledger import Ledger
from pipeline.runs.run_folder import (
    git_commit,
    held_out_of,
    holdout_record,
    new_run_id,
    save_grid,
    save_held_out,
    versions,
)
from pipeline.storage import write_json
from pipeline.training import Epoch, Hooks, Streams, TrainingData, fit
from pipeline.training import recipe as recipes
from pipeline.training.recipe import Recipe

SEED = 0
TESTED = (0.0, 0.1, 0.2, 0.3, 0.5)  # σ of the held-out rows, the columns of the noise table
MOST_TILES = 40  # weight pictures of a wall
FRAME_SECONDS = 0.4  # between two pictures of a wall within an epoch
MOST_TURNED = 6  # examples learnt, and forgotten, that an epoch shows


def recipe_of(settings: dict[str, Any]) -> Recipe:
    """The recipe that the visitor's settings stand for. Raises RecipeError."""
    hidden = [{"layer": "Dense", "units": settings["units"]}, {"layer": "ReLU"}] * settings["layers"]
    content = {
        "summary": "Trained on the drawing page",
        "network": {"layers": [{"layer": "Flatten"}, *hidden, {"layer": "Dense", "units": "classes"}]},
        "loss": {"name": "softmax-cross-entropy"},
        "optimizer": {"name": settings["optimizer"]},
        "schedule": {"name": "constant", "learning_rate": settings["rate"]},
        "training": {"epochs": settings["epochs"], "batch_size": 128},
    }
    if settings["shift"]:
        content["augment"] = [{"change": "Shift", "share_of_side": settings["shift"] / 28}]
    return recipes.check(content, name="page", where="The settings")


class Trainer:
    """Two fits (or one) on the same rows, in the same order, from the same first weights, which differ in σ."""

    def __init__(self, header: dict[str, Any], train: Digits, held: Digits, emit: Callable[..., None]) -> None:
        self.header, self.train, self.held, self.emit = header, train, held, emit
        self.settings = header["settings"]
        self.sigmas: list[float] = self.settings["sigmas"]
        self.recipe = recipe_of(self.settings)
        self.rate: float = self.settings["rate"]
        self.commands: queue.Queue[dict[str, Any]] = queue.Queue()
        self.paused, self.until = False, 0  # until: so many more ends of an epoch, then a pause; 0 for no pause
        self.streams = [Streams.of(SEED) for _ in self.sigmas]
        shape, classes = train.images.shape[1:], len(train.classes)
        self.networks = [self.recipe.network(shape, classes, rng=streams.weights) for streams in self.streams]
        self.tests = [gaussian(held.images, s, rng=np.random.default_rng(SEED)) for s in TESTED]
        self.right: list[np.ndarray | None] = [None] * len(self.sigmas)
        self.framed = [0.0] * len(self.sigmas)
        self.turn, self.alive, self.baton = 0, list(range(len(self.sigmas))), threading.Condition()

    def run(self) -> None:
        """Train to the end, then answer commands until they end."""
        self.emit(
            "begin",
            sigmas=self.sigmas,
            tests=TESTED,
            rows=self.train.n,
            held=self.held.n,
            parameters=self.networks[0].params.size,
            side=self.train.side,
            classes=self.train.classes.tolist(),
            **{key: self.header[key] for key in ("name", "sample")},
        )
        for index in range(len(self.sigmas)):
            self._show(index, 0.0)
        threads = [threading.Thread(target=self._fit, args=(i,), daemon=True) for i in range(len(self.sigmas))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.emit("done")
        while True:
            self._obey(self.commands.get())

    def _fit(self, index: int) -> None:
        network, recipe = self.networks[index], self.recipe
        steps = -(-self.train.n // recipe.training.batch_size_for(self.train.n))

        def schedule(step: int, _: int) -> float:
            self._pass_turn(index)
            self._take_commands()
            if time.monotonic() - self.framed[index] > FRAME_SECONDS:
                self._show(index, step / steps)
            return self.rate

        data = TrainingData(rows=self.train.images, labels=self.train.labels)
        plan = replace(recipe.plan(network, self.train.n), schedule=schedule)
        hooks = Hooks(
            augment=recipe.augment(self.sigmas[index]), on_epoch=lambda epoch: self._end_of_epoch(index, epoch)
        )
        with self.baton:
            self.baton.wait_for(lambda: self.turn == index)
        try:
            fit(network, data, plan, streams=self.streams[index], hooks=hooks)
        except InkproofError as error:
            self.emit("fault", net=index, message=str(error))
        finally:
            with self.baton:
                self._next(index)
                self.alive.remove(index)
                self.baton.notify_all()

    def _pass_turn(self, index: int) -> None:
        """Let the other fit make a step; give back when it is this one's turn again."""
        with self.baton:
            self._next(index)
            self.baton.notify_all()
            self.baton.wait_for(lambda: self.turn == index)

    def _next(self, index: int) -> None:
        self.turn = self.alive[(self.alive.index(index) + 1) % len(self.alive)]

    def _take_commands(self) -> None:
        while self.paused or not self.commands.empty():
            self._obey(self.commands.get())

    def _obey(self, command: dict[str, Any]) -> None:
        action = command["action"]
        if action in ("pause", "resume"):
            self.paused, self.until = action == "pause", 0
        elif action == "step":
            self.paused, self.until = False, len(self.alive)
        elif action == "rate":
            self.rate = command["rate"]
        elif action == "ask":
            image = np.array(command["image"], np.uint8).reshape(1, *self.train.images.shape[1:])
            self.emit("reply", to=command["to"], value=[n.probabilities(image)[0].tolist() for n in self.networks])
        elif action == "keep":
            try:
                self.emit("reply", to=command["to"], value=self._keep())
            except InkproofError as error:
                self.emit("reply", to=command["to"], error=str(error))

    def _show(self, index: int, at: float) -> None:
        """Send the wall: the first layer's weights, a picture for each of the first units."""
        self.framed[index] = time.monotonic()
        weight = next(layer.params["weight"] for layer in self.networks[index].layers if layer.params)
        tiles = weight[:, :MOST_TILES].T
        wall = np.rint(tiles * (127 / max(float(np.abs(tiles).max()), 1e-9))).astype(np.int8)
        self.emit("wall", net=index, at=at, tiles=len(wall), pixels=_base64(wall))

    def _end_of_epoch(self, index: int, epoch: Epoch) -> None:
        network, labels = self.networks[index], self.held.labels
        said = [network.logits(images).argmax(axis=1) for images in self.tests]
        right, before = said[0] == labels, self.right[index]
        turned = {"learnt": right & ~before, "forgotten": before & ~right} if before is not None else {}
        confusion = np.zeros((2, len(self.held.classes), len(self.held.classes)), int)
        for matrix, answers in zip(confusion, (said[0], said[TESTED.index(0.3)]), strict=True):
            np.add.at(matrix, (labels, answers), 1)
        self.right[index] = right
        self.emit(
            "epoch",
            net=index,
            epoch=epoch.epoch,
            loss=epoch.train_loss,
            rate=self.rate,
            accuracy=[float((answers == labels).mean()) for answers in said],
            confusion=confusion.tolist(),
            **{name: self._examples(np.flatnonzero(mask), said[0]) for name, mask in turned.items()},
        )
        self._show(index, float(epoch.epoch))
        if self.until:
            self.until -= 1
            self.paused = self.until == 0

    def _examples(self, places: np.ndarray, said: np.ndarray) -> list[dict[str, Any]]:
        names = self.held.classes.tolist()
        return [
            {
                "label": names[self.held.labels[i]],
                "said": names[said[i]],
                "pixels": _base64(self.held.images[i]),
            }
            for i in places[:MOST_TURNED]
        ]

    def _keep(self) -> str:
        """Write both networks as a run, as the main job would; gives its id."""
        header, train, held = self.header, self.train, self.held
        folder = Path(header["runs"]) / new_run_id("page")
        record, ledger = self.recipe.record, Ledger(header["runs"])
        data = {key: header[key] for key in ("name", "fingerprint", "competition", "sample")}
        data |= {"train": train.n, "test": 0}
        begun = {"kind": "main", "seed": SEED, "recipe": record, "data": data}
        ledger.start_run(folder.name, begun, header["command"], git_commit())
        levels, scores = {}, []
        names = [f"σ {sigma:g}" for sigma in self.sigmas]
        fold = GridFold(trained=names, repeats=1, conditions=("clean",), labels=held.labels, classes=len(train.classes))
        for sigma, network in zip(self.sigmas, self.networks, strict=True):
            strange = network.probabilities(DistortedHoldout(SEED).apply(held.images))
            clean = network.probabilities(held.images)
            fold.add(f"σ {sigma:g}", 0, {"clean": clean})
            about = {
                "recipe": record,
                "sigma": sigma,
                "key": [SEED],
                "data": header["name"],
                "data_fingerprint": header["fingerprint"],
                PICTURES: measure(training_style(train.images), strange, held.labels, clean),
            }
            file = folder / "models" / "holdout" / f"sigma-{sigma:g}-repeat-1.safetensors"
            model_file.save(model_file.Model(network, train.classes, train.side, about), file)
            right = int((clean.argmax(axis=1) == held.labels).sum())
            scores.append(wilson_interval(right, held.n))
            levels[f"σ {sigma:g}"] = {"clean": scores[-1]._asdict()}
        save_held_out(folder, held_out_of(fold, held, train.classes))
        save_grid(folder, fold.grid())
        results = {
            **begun,
            "command": header["command"],
            "holdout": holdout_record(scores[0], held.n, f"the network at σ {self.sigmas[0]:g}"),
            "levels": levels,
            "axes": {"clean": asdict(condition("clean").axis)},
            "shown": names[0],
            "attacks": [],
            "fits": [],
            "comparisons": [],
            "findings": {},
            "certify": None,
            "versions": versions(),
        }
        write_json(folder / "run.json", {"id": folder.name, **results})
        ledger.finish_run(folder.name, results)
        return folder.name


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def main() -> None:
    source, out, writing = sys.stdin.buffer, sys.stdout.buffer, threading.Lock()

    def emit(kind: str, **values: Any) -> None:
        with writing, suppress(BrokenPipeError):  # its end comes to `listen` as well
            out.write(json.dumps({"kind": kind, **values}, allow_nan=False).encode() + b"\n")
            out.flush()

    if hasattr(os, "nice"):
        os.nice(10)  # answers go first
    try:
        header = json.loads(source.readline())
        classes, parts = np.array(header["classes"]), []
        for n in header["rows"]:
            images = np.frombuffer(source.read(n * header["side"] ** 2), np.uint8)
            labels = np.frombuffer(source.read(8 * n), np.int64)
            parts.append(Digits(images.reshape(n, header["side"], header["side"]), labels, classes))
    except ValueError:  # cut off: the server is gone
        return
    trainer = Trainer(header, *parts, emit)

    def listen() -> None:
        for line in source:
            trainer.commands.put(json.loads(line))
        os._exit(0)  # the server is gone

    threading.Thread(target=listen, daemon=True).start()
    trainer.run()


if __name__ == "__main__":
    main()
