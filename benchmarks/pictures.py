"""How well pictures from the world are read: real ones step by step, and synthetic photos and scans of held-out rows.

    python benchmarks/pictures.py runs/<id> --data data/digit-recognizer.zip
    python benchmarks/pictures.py runs/<id> --data data/digit-recognizer.zip --pictures folder/

Real pictures (labels from the first letter of their names) are read by the run's networks of all rows, synthetic ones
by its first network that never saw the held-out rows. "Usual" is what most demos do: polarity of the border, ink box
of 20 pixels, centre of mass. Each kind of synthetic picture is drawn from its own seed; `--half` draws from the even
or the odd held-out rows, so that one half can be looked at while the code changes, and the other only counted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from scene import KINDS

sys.path.insert(0, str(Path(__file__).parent.parent))

from pipeline.dataset import load
from pipeline.prediction import picture
from pipeline.prediction.find_models import model_files, split_final
from pipeline.prediction.picture import Style
from pipeline.prediction.picture.fit import centre_of_mass
from pipeline.prediction.reader import Reader, load_reader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run's folder")
    parser.add_argument("--data", type=Path, required=True, help="what the run was trained on")
    parser.add_argument("--pictures", type=Path, help="a folder of labelled pictures")
    parser.add_argument("--each", type=int, default=100, help="synthetic pictures of each kind")
    parser.add_argument("--half", choices=["even", "odd"], default="odd", help="of the held-out rows")
    arguments = parser.parse_args()
    if arguments.pictures:
        by_step(load_reader(str(arguments.run), arguments.run.parent), arguments.pictures)
    _, others = split_final(model_files(arguments.run))
    rows = np.load(arguments.run / "holdout.npz")["rows"][arguments.half == "odd" :: 2]
    train = load(arguments.data).train.take(rows)
    synthetic(load_reader(str(others[0]), arguments.run.parent), train.images, train.labels, arguments.each)


def by_step(reader: Reader, folder: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".bmp", ".jpg"))
    labels = np.array([int(path.name[0]) for path in paths])
    greys = [picture.decode(path) for path in paths]
    plain = Style(thinnest=0.001, thickest=1.0)
    steps: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "resized to 28 × 28": resized,
        "+ polarity of the border": lambda grey: resized(bright(grey)),
        "+ ink box of 20 pixels": lambda grey: boxed(bright(grey)),
        "+ centre of mass, the usual recipe": usual,
        "`prepare` without stroke weight": lambda grey: picture.prepare(grey, plain).image,
        "`prepare`": lambda grey: picture.prepare(grey, reader.style).image,
    }
    print(f"{len(labels)} real pictures, read by {reader.source}\n\n| up to this step | right |\n|---|---|")
    for name, step in steps.items():
        said = reader.probabilities(np.stack([step(grey) for grey in greys])).argmax(1)
        print(f"| {name} | {100 * np.mean(said == labels):.1f} % |")
    print()


def synthetic(reader: Reader, images: np.ndarray, labels: np.ndarray, each: int) -> None:
    print(f"{each} synthetic pictures of each kind, read by {reader.source}\n")
    print("| kind | usual | `prepare` | sure | right when sure |\n|---|---|---|---|---|")
    total = []
    for number, (name, make) in enumerate(KINDS.items()):
        found = []
        for place in range(each):
            rng = np.random.default_rng([number, place])
            row, other = rng.integers(len(images), size=2)
            grey = picture.decode(make(images[row], images[other], rng))
            prepared = picture.prepare(grey, reader.style)
            said = reader.probabilities(np.stack([usual(grey), prepared.image]))
            verdict = picture.verdict(said[1], prepared.warnings, threshold=reader.threshold)
            found.append((*(said.argmax(1) == labels[row]), verdict == picture.SURE))
        print(line(name, found))
        total += found
    print(line(f"all {len(KINDS)}", total))


def line(name: str, found: Iterable[tuple[bool, bool, bool]]) -> str:
    usual, right, sure = np.array(list(found)).T
    shares = (usual.mean(), right.mean(), sure.mean(), right[sure].mean() if sure.any() else np.nan)
    return f"| {name} | " + " | ".join(f"{100 * share:.1f}" for share in shares) + " |"


def bright(grey: np.ndarray) -> np.ndarray:
    """Bright ink on dark, by the border's mean."""
    return 1 - grey if border(grey).mean() > 0.5 else grey


def border(grey: np.ndarray) -> np.ndarray:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def resized(grey: np.ndarray, size: tuple[int, int] = (28, 28)) -> np.ndarray:
    small = Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR)
    return np.clip(np.asarray(small) * 255 + 0.5, 0, 255).astype(np.uint8)


def boxed(grey: np.ndarray) -> np.ndarray:
    """What is brighter than the border, stretched, its longer side 20 pixels, in the middle of 28 × 28."""
    paper = np.median(border(grey))
    ink = np.clip((grey - paper) / max(grey.max() - paper, 1e-3), 0, 1).astype(np.float32)
    inked = ink > 0.3
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    out = np.zeros((28, 28), np.uint8)
    if rows.size:
        cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = 20 / max(cut.shape)
        size = max(round(cut.shape[1] * scale), 1), max(round(cut.shape[0] * scale), 1)
        top, left = (28 - size[1]) // 2, (28 - size[0]) // 2
        out[top : top + size[1], left : left + size[0]] = resized(cut, size)
    return out


def usual(grey: np.ndarray) -> np.ndarray:
    image = boxed(bright(grey))
    if not image.any():
        return image
    row, column = centre_of_mass(image)
    down, right = round(14 - row), round(14 - column)
    padded = np.pad(image, 28)
    return padded[28 - down : 56 - down, 28 - right : 56 - right]


if __name__ == "__main__":
    main()
