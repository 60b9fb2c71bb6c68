"""The process that trains before a visitor's eyes, started by trainings.py.

Through its pipe come commands, and events go: dictionaries. The pipe's end is the end of this process, so that it dies
with the server. The fits are those of pipeline.training, one thread each, and take turns step by step: never more than
one computes.
"""

import base64
import os
import queue
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.augment.noise import gaussian
from pipeline.dataset import Digits
from pipeline.errors import COMMAND, InkproofError
from pipeline.evaluation.grid import GridFold
from pipeline.evaluation.robustness.conditions import DistortedHoldout, condition
from pipeline.evaluation.statistics import wilson_interval
from pipeline.prediction import model_file
from pipeline.prediction.confidence_threshold import PICTURES, measure, training_style
from pipeline.runs import run_folder
from pipeline.runs.ledger import Ledger
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """What is trained. data: run_folder.data_record of these rows. runs: the folder that kept ones go to."""

    settings: dict[str, Any]
    train: Digits
    held: Digits
    data: dict[str, Any]
    runs: Path


def run(pipe: Connection, job: Job) -> None:
    """Train to the end, then answer commands until the pipe ends."""
    if hasattr(os, "nice"):
        os.nice(10)  # answers go first
    trainer = Trainer(job, pipe)

    def listen() -> None:
        try:
            while True:
                trainer.commands.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(0)  # the server is gone

    threading.Thread(target=listen, daemon=True).start()
    with threadpool_limits(1):
        trainer.run()


class Trainer:
    """Two fits (or one) on the same rows, in the same order, from the same first weights, which differ in σ."""

    def __init__(self, job: Job, pipe: Connection) -> None:
        self.job, self.train, self.held, self.pipe = job, job.train, job.held, pipe
        self.sigmas: list[float] = job.settings["sigmas"]
        self.recipe = recipe_of(job.settings)
        self.rate: float = job.settings["rate"]
        self.commands: queue.Queue[dict[str, Any]] = queue.Queue()
        self.paused, self.until = False, 0  # until: so many more ends of an epoch, then a pause; 0 for no pause
        self.streams = [Streams.of(SEED) for _ in self.sigmas]
        shape, classes = self.train.images.shape[1:], len(self.train.classes)
        self.networks = [self.recipe.network(shape, classes, rng=streams.weights) for streams in self.streams]
        self.tests = [gaussian(self.held.images, s, rng=np.random.default_rng(SEED)) for s in TESTED]
        self.right: list[np.ndarray | None] = [None] * len(self.sigmas)
        self.framed = [0.0] * len(self.sigmas)
        self.turns = deque(threading.Semaphore(0) for _ in self.sigmas)  # the first one's fit computes

    def emit(self, kind: str, **values: Any) -> None:
        with suppress(OSError):  # its end comes to `listen` as well
            self.pipe.send({"kind": kind, **values})

    def run(self) -> None:
        self.emit(
            "begin",
            sigmas=self.sigmas,
            tests=TESTED,
            rows=self.train.n,
            held=self.held.n,
            parameters=self.networks[0].params.size,
            side=self.train.side,
            classes=self.train.classes.tolist(),
            **{key: self.job.data[key] for key in ("name", "sample")},
        )
        for index in range(len(self.sigmas)):
            self._show(index, 0.0)
        fits = [threading.Thread(target=self._fit, args=turn, daemon=True) for turn in enumerate(self.turns)]
        for thread in fits:
            thread.start()
        self.turns[0].release()
        for thread in fits:
            thread.join()
        self.emit("done")
        while True:
            self._obey(self.commands.get())

    def _fit(self, index: int, own_turn: threading.Semaphore) -> None:
        network, recipe = self.networks[index], self.recipe
        steps = -(-self.train.n // recipe.training.batch_size_for(self.train.n))

        def schedule(step: int, _: int) -> float:
            self.turns.rotate(-1)  # the other makes a step
            self.turns[0].release()
            own_turn.acquire()
            while self.paused or not self.commands.empty():
                self._obey(self.commands.get())
            if time.monotonic() - self.framed[index] > FRAME_SECONDS:
                self._show(index, step / steps)
            return self.rate

        plan = replace(recipe.plan(network, self.train.n), schedule=schedule)
        change = recipe.augment(self.sigmas[index])
        hooks = Hooks(augment=change, on_epoch=lambda epoch: self._end_of_epoch(index, epoch))
        data = TrainingData(rows=self.train.images, labels=self.train.labels)
        own_turn.acquire()
        try:
            fit(network, data, plan, streams=self.streams[index], hooks=hooks)
        except InkproofError as error:
            self.emit("fault", net=index, message=str(error))
        finally:
            self.turns.remove(own_turn)
            if self.turns:
                self.turns[0].release()

    def _obey(self, command: dict[str, Any]) -> None:
        action = command["action"]
        if action in ("pause", "resume"):
            self.paused, self.until = action == "pause", 0
        elif action == "step":
            self.paused, self.until = False, len(self.turns)
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
            {"label": names[self.held.labels[i]], "said": names[said[i]], "pixels": _base64(self.held.images[i])}
            for i in places[:MOST_TURNED]
        ]

    def _keep(self) -> str:
        """Write both networks as a run, as the main job would; gives its id."""
        job, train, held, record = self.job, self.train, self.held, self.recipe.record
        command = f"{COMMAND} serve"
        folder, ledger = job.runs / run_folder.new_run_id("page"), Ledger(job.runs)
        begun = {"kind": "main", "seed": SEED, "recipe": record, "data": job.data}
        ledger.start_run(folder.name, begun, command, run_folder.git_commit())
        names = [f"σ {sigma:g}" for sigma in self.sigmas]
        fold = GridFold(trained=names, repeats=1, conditions=("clean",), labels=held.labels, classes=len(train.classes))
        strange, accuracy = DistortedHoldout(SEED).apply(held.images), {}
        for name, sigma, network in zip(names, self.sigmas, self.networks, strict=True):
            clean = network.probabilities(held.images)
            fold.add(name, 0, {"clean": clean})
            accuracy[name] = wilson_interval(int((clean.argmax(axis=1) == held.labels).sum()), held.n)
            style = training_style(train.images)
            about = {
                "recipe": record,
                "sigma": sigma,
                "key": [SEED],
                "data": job.data["name"],
                "data_fingerprint": job.data["fingerprint"],
                PICTURES: measure(style, network.probabilities(strange), held.labels, clean),
            }
            file = folder / "models" / "holdout" / f"sigma-{sigma:g}-repeat-1.safetensors"
            model_file.save(model_file.Model(network, train.classes, train.side, about), file)
        run_folder.save_held_out(folder, run_folder.held_out_of(fold, held, train.classes))
        run_folder.save_grid(folder, fold.grid())
        results = {
            **begun,
            "command": command,
            "holdout": run_folder.holdout_record(accuracy[names[0]], held.n, f"the network at {names[0]}"),
            "levels": {name: {"clean": interval._asdict()} for name, interval in accuracy.items()},
            "axes": {"clean": asdict(condition("clean").axis)},
            "shown": names[0],
            "versions": run_folder.versions(),
        }
        run_folder.write_record(folder, {"id": folder.name, **results})
        ledger.finish_run(folder.name, results)
        return folder.name


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
