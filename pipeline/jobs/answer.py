"""A finished run's answers to any rows: its networks, with the weights and views that its submission was made with."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset import read_blocks
from pipeline.dataset.kaggle_csv import SUBMISSION_HEADER
from pipeline.errors import DataError, UsageError, counted
from pipeline.evaluation.robustness.conditions import Condition, condition
from pipeline.prediction.find_models import answering_files
from pipeline.prediction.model_file import Model, load
from pipeline.report.page_data import read_record
from pipeline.seeds import Stream, derived_seed
from pipeline.storage import atomic_file, csv_text


@dataclass(frozen=True, kw_only=True, eq=False)
class Voter:
    """A network that answers with others: its share of the sum, and the views that it is averaged over."""

    model: Model
    weight: float
    views: tuple[Condition, ...] = ()

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(n, classes) of images (n, side, side) uint8: the mean over the picture as it is and the views."""
        pictures = (images, *(view.apply(images) for view in self.views))
        return np.mean([self.model.network.probabilities(changed) for changed in pictures], axis=0)


def voters_of(path: Path) -> list[Voter]:
    """The networks in a model file, or in the run folder `path` with the weights that the run chose; they add up to 1.

    A blend has those of its runs, which lie beside it. A comparison's networks are no team: they are named one by one.
    Raises UsageError, DataError or ModelFileError.
    """
    record = read_record(path) if (path / "run.json").exists() else {}
    if record.get("kind") == "blend":
        return [
            replace(voter, weight=share * voter.weight)
            for run, share in record["summary"]["weights"].items()
            if share > 0
            for voter in voters_of(path.parent / run)
        ]
    models = [load(file) for file in answering_files(path)]
    shape = {(model.side, *model.classes.tolist()) for model in models}
    if len(shape) > 1:
        raise UsageError(f"The networks in {path} do not take the same pictures and classes: name one of them.")
    weights = (record.get("summary") or {}).get("weights") or {}
    named = [model.about.get("recipe", {}).get("name") for model in models]
    members = Counter(named)
    is_team = weights.keys() == members.keys()
    views = _views(record)
    return [
        Voter(model=model, weight=weights[name] / members[name] if is_team else 1 / len(models), views=views)
        for model, name in zip(models, named, strict=True)
    ]


def _views(record: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Test-time augmentation, as the run's submission had it."""
    names = record.get("views", record.get("recipe", {}).get("run", {}).get("views", ()))
    return tuple(condition(name, seed=derived_seed(record["seed"], Stream.TEST_CONDITIONS)) for name in names)


def answer(
    path: Path,
    data: Path,
    to: Path,
    *,
    columns: Mapping[str, str | None],
    probabilities: bool = False,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> str:
    """Write what the networks at `path` say of each row of the CSV `data` to `to`; a sentence about it.

    Rows are read and answered block by block, so that memory does not grow. data, columns: as read_blocks takes them.
    The answers have the header of the run's submission; ids are 1 to n without an id column. probabilities: also those
    of each class. Raises DataError where rows do not suit the networks, StorageError, and what voters_of raises.
    """
    from threadpoolctl import threadpool_limits

    voters = voters_of(path)
    side, classes = voters[0].model.side, voters[0].model.classes
    record = read_record(path) if (path / "run.json").exists() else {}
    header = list(record.get("data", {}).get("columns") or SUBMISSION_HEADER)
    header += [f"probability_{name}" for name in classes] if probabilities else []
    done = 0
    # On one thread, as in training: blocks are so small that threads cost more than they bring.
    with threadpool_limits(1), atomic_file(to) as file:
        for id_name, pixels, ids in read_blocks(data, **columns):
            if pixels.shape[1] != side * side:
                raise DataError(
                    f"{data} has {counted(pixels.shape[1], 'pixel column')} where these networks take {side**2:,} "
                    f"({side}×{side}): give rows of such pictures, and name an id column with --id-column."
                )
            images = pixels.reshape(-1, side, side)
            shares = np.sum([voter.weight * voter.probabilities(images) for voter in voters], axis=0)
            lines = [] if done else [[id_name or header[0], *header[1:]]]
            labels = classes[shares.argmax(axis=1)].tolist()
            for place, label in enumerate(labels):
                id = ids[place] if ids else done + place + 1
                lines.append([id, label, *([f"{share:.6f}" for share in shares[place]] if probabilities else [])])
            file.write(csv_text(lines).encode("utf-8"))
            done += len(images)
            on_rows(done)
    return f"{to}: {counted(done, 'row')}, answered by {counted(len(voters), 'network')} of {path}"
