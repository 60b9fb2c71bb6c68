"""Find what lies at a path, and read it with the reader that fits."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.dataset import arrays, kaggle_csv, sample
from pipeline.dataset.columns import read_header, rows_layout
from pipeline.dataset.digits import Competition
from pipeline.dataset.kaggle_csv import CsvOptions
from pipeline.dataset.rows import blocks
from pipeline.dataset.slug import DEFAULT_FOLDER, named
from pipeline.dataset.source import Source, reading, zip_members
from pipeline.errors import DataError

KAGGLE_ZIP = "digit-recognizer.zip"


def load(
    data: Path | str | None = None,
    *,
    label_column: str | None = None,
    id_column: str | None = None,
    competition: str | None = None,
    cache: bool = True,
) -> Competition:
    """Read the competition at `data`.

    `data` is a folder or zip with Kaggle's train.csv, test.csv and perhaps sample_submission.csv, a folder
    with IDX files, or an npz archive; a file in such a folder stands for the folder. With None the folder
    data/ is looked into, and where it holds nothing, scikit-learn's 8×8 digits are written to data/sample/
    and read from there (`is_sample`). `label_column` and `id_column` name columns of the CSV files where
    their names are unusual; `competition` is the slug or address of data that nobody named. With `cache`,
    parsed CSV rows are kept in .inkproof-cache/ next to the data.
    Raises DataError, UsageError where `competition` is not that of the data, and StorageError when the sample cannot be
    written.
    """
    options = CsvOptions(label_column, id_column, cache)
    if data is None:
        return named(_read(DEFAULT_FOLDER, options) or _read_sample(options), competition)
    path = Path(data)
    with reading(path):
        path.stat()
    data_read = _read(path, options)
    if data_read is None:
        tables = sorted(file.name for file in (path if path.is_dir() else path.parent).glob("*.csv"))[:3]
        other = f" (but {', '.join(tables)}: are these to be named so?)" if tables else ""
        raise DataError(
            f"{path} holds no data, found neither train.csv and test.csv{other}, nor {KAGGLE_ZIP}, IDX files or an "
            "npz archive: put Kaggle's files there, or name another place with --data."
        )
    return named(data_read, competition)


def read_blocks(
    data: Path | str, *, label_column: str | None = None, id_column: str | None = None
) -> Iterator[tuple[str | None, np.ndarray, list[str]]]:
    """The rows of a CSV, plain or in a zip, or of the test.csv in a folder, a block at a time.

    Each block is the id column's name (None without one), pixels (b, p) uint8, and the ids as they stand in the file.
    A label column is left out. Raises DataError.
    """
    path = Path(data)
    source = Source(path)
    with reading(path):
        path.stat()
        if path.is_dir():
            source = Source(path / kaggle_csv.TEST)
            source = source if source.path.exists() else Source(path / KAGGLE_ZIP)
    if source.path.suffix == ".zip":
        tables = {name: member for name, member in zip_members(source.path).items() if name.endswith(".csv")}
        found = tables.get(kaggle_csv.TEST) or (next(iter(tables.values())) if len(tables) == 1 else None)
        if found is None:
            raise DataError(f"{path} holds {len(tables)} tables and no test.csv: put one CSV into the zip.")
        source = found
    with source.damage_first():
        layout = rows_layout(source, read_header(source), label_column, id_column)
        name = None if layout.key is None else layout.header[layout.key]
        for pixels, ids in blocks(source, layout):
            yield name, pixels, ids


def _read(path: Path, options: CsvOptions) -> Competition | None:
    """Whatever competition lies at `path`; None where there is none."""
    with reading(path):
        competition = _read_folder(path, options) if path.is_dir() else _read_file(path, options)
    if competition is not None and competition.fingerprint == sample.FINGERPRINT:
        return _as_sample(competition)
    return competition


def _read_sample(options: CsvOptions) -> Competition:
    """scikit-learn's digits, written first unless they are there and whole."""
    folder = DEFAULT_FOLDER / "sample"
    with suppress(DataError):
        competition = _read(folder, options)
        if competition is not None and competition.is_sample:
            return competition
    sample.write(folder)
    return _as_sample(_read(folder, options))


def _as_sample(competition: Competition) -> Competition:
    return replace(competition, name=sample.NAME, is_sample=True)


def _read_file(path: Path, options: CsvOptions) -> Competition | None:
    if path.suffix == ".npz":
        return arrays.read_npz_competition(path)
    if path.suffix == ".zip":
        return kaggle_csv.read_competition(zip_members(path), path, options)
    if path.name in (kaggle_csv.TRAIN, kaggle_csv.TEST) or arrays.IDX_NAME.fullmatch(path.name):
        return _read_folder(path.parent, options)
    return None


def _read_folder(folder: Path, options: CsvOptions) -> Competition | None:
    names = (kaggle_csv.TRAIN, kaggle_csv.TEST, kaggle_csv.SAMPLE_SUBMISSION)
    sources = {name: Source(folder / name) for name in names if (folder / name).exists()}
    if kaggle_csv.TRAIN in sources or kaggle_csv.TEST in sources:
        return kaggle_csv.read_competition(sources, folder, options)
    if (folder / KAGGLE_ZIP).exists():
        return _read_file(folder / KAGGLE_ZIP, options)
    if files := arrays.find_idx(folder):
        return arrays.read_idx_competition(files, folder)
    archives = sorted(folder.glob("*.npz"))
    if len(archives) > 1:
        raise DataError(
            f"{folder} holds {len(archives)} npz archives where one is expected: name the one to read with --data."
        )
    return arrays.read_npz_competition(archives[0]) if archives else None
