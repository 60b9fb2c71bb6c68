"""train.csv, test.csv and, where it is there, sample_submission.csv → a Competition."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.dataset import cache
from pipeline.dataset.columns import Layout, not_csv, test_layout, train_layout
from pipeline.dataset.digits import Competition, Digits, index_labels, odd_names
from pipeline.dataset.exact import SHOWN, check_key, is_key, records
from pipeline.dataset.rows import Table, key_array, read_table
from pipeline.dataset.source import Source
from pipeline.errors import DataError

TRAIN, TEST, SAMPLE_SUBMISSION = "train.csv", "test.csv", "sample_submission.csv"
SUBMISSION_HEADER = ("ImageId", "Label")
"""Digit Recognizer's; used unless sample_submission.csv or an id column of test.csv says otherwise."""


@dataclass(frozen=True)
class CsvOptions:
    """How to read the tables: names of the label and id columns (None: the usual ones), cache or not."""

    label_column: str | None = None
    id_column: str | None = None
    cache: bool = True


def read_competition(sources: dict[str, Source], path: Path, options: CsvOptions) -> Competition:
    """Read a competition from `sources` by file name; `path` is the folder or zip that they come from.

    Raises DataError for a file that is missing or not of Kaggle's format.
    """
    for needed in (TRAIN, TEST):
        if needed not in sources:
            raise DataError(
                f"{path} has no {needed}, and both {TRAIN} and {TEST} are needed: put Kaggle's files there, "
                "or name another place with --data."
            )
    train_source, test_source = sources[TRAIN], sources[TEST]

    with ThreadPoolExecutor(2) as threads:  # hashing and decoding let other threads run
        train_rows = threads.submit(_rows, train_source, TRAIN, options)
        test_rows = threads.submit(_rows, test_source, TEST, options)
        given = sources.get(SAMPLE_SUBMISSION)
        sample = None if given is None else threads.submit(_read_sample_submission, given)
        (train_table, train_entry), (test_table, test_entry) = train_rows.result(), test_rows.result()

    _check_same_pixels(train_table, test_table, train_source, test_source)
    labels, classes = index_labels(train_table.key, str(train_source))
    train, test = Digits(train_table.pictures, labels, classes), Digits(test_table.pictures, None, classes)
    header, ids = _answer_form(sources, train_table, test_table, None if sample is None else sample.result())
    # Only now, because bad input must leave nothing behind.
    for entry, table in ((train_entry, train_table), (test_entry, test_table)):
        if entry is not None:
            cache.store(entry, table)
    hashes = (train_table.pixels_sha256, test_table.pixels_sha256)
    return Competition.read_from(path, train, test, header, ids, hashes)


def _rows(source: Source, role: str, options: CsvOptions) -> tuple[Table, Path | None]:
    """The rows of `source`, read as `role` (TRAIN or TEST), and the cache entry that they are yet to fill."""

    def layout_of(header: tuple[str, ...]) -> Layout:
        layout = train_layout if role == TRAIN else test_layout
        return layout(source, header, options.label_column, options.id_column)

    if not options.cache:
        return read_table(source, layout_of), None
    before = source.stamp()
    names = {"label_column": options.label_column, "id_column": options.id_column}
    folder, origin = source.path.parent, {"source": source.sha256(), "member": source.member}
    entry = cache.entry_path(folder, **origin, role=role, **names)
    kept = cache.load(entry)
    if kept is not None:
        return kept, None
    table = read_table(source, layout_of)
    unchanged = source.stamp() == before  # else the hash may belong to other rows than those just read
    return table, entry if unchanged else None


def _check_same_pixels(train: Table, test: Table, train_source: Source, test_source: Source) -> None:
    if len(train.pixel_names) != len(test.pixel_names):
        raise DataError(
            f"{test_source} has {len(test.pixel_names)} pixel columns where {train_source} has "
            f"{len(train.pixel_names)}, and both need the same: take both files from one competition, and "
            "name an id column with --id-column."
        )
    for expected, found in zip(train.pixel_names, test.pixel_names, strict=True):
        if expected != found:
            raise DataError(
                f"{test_source} has column {found!r} where {train_source} has {expected!r}, and both need "
                "the same pixels in the same order: take both files from one competition."
            )


def _answer_form(
    sources: dict[str, Source], train: Table, test: Table, sample: tuple[tuple[str, str], np.ndarray] | None
) -> tuple[tuple[str, str], np.ndarray]:
    """The submission's header and the test rows' ids. Raises DataError when files disagree."""
    ids = test.key
    if ids is None:
        header, ids = SUBMISSION_HEADER, np.arange(1, len(test.pixels) + 1)
    else:
        header = (test.key_name, train.key_name)
        _check_ids(sources[TEST], ids)
    if sample is None:
        return header, ids

    source = sources[SAMPLE_SUBMISSION]
    header, sample_ids = sample
    if len(sample_ids) != len(ids):
        raise DataError(
            f"{source} has {len(sample_ids)} rows where {sources[TEST]} has {len(ids)}, and both need the "
            "same number: take both files from one competition."
        )
    _check_ids(source, sample_ids)
    if test.key is None:
        return header, sample_ids
    if not np.array_equal(np.sort(sample_ids), np.sort(ids)):
        raise DataError(
            f"{source} holds other ids than {sources[TEST]}, and both need the same: take both files from "
            "one competition."
        )
    return header, ids


def _check_ids(source: Source, ids: np.ndarray) -> None:
    values, counts = np.unique(ids, return_counts=True)
    if counts.max() > 1:
        raise DataError(
            f"{source} holds id {str(values[counts.argmax()])!r} in {counts.max()} rows where each row needs "
            "an id of its own: correct the id column or download the file again."
        )
    if ids.dtype.kind == "U":
        words = [name for name in ids.tolist() if not re.fullmatch(r"-?[0-9]+", name)]
        odd = {*odd_names(ids), *(words if 2 * len(words) < len(ids) else ())}
        for row, name in enumerate(ids.tolist(), 1):
            if name in odd:
                raise DataError(
                    f"{source}, row {row} holds id {name[:SHOWN]!r} where the other ids are whole numbers: correct the "
                    "id column or download the file again."
                )


def _read_sample_submission(source: Source) -> tuple[tuple[str, str], np.ndarray]:
    """Header and ids (n,) of a sample submission, by the rules of test.csv."""
    with source.damage_first(), closing(records(source)) as rows:
        table = []
        for where, cells in rows:
            is_header = len(cells) == 2 and not table
            names = is_header and all(is_key(name) and not name.isdecimal() for name in cells) and len(set(cells)) == 2
            if len(cells) != 2 or (is_header and not names):
                needed = "two different names, for ids and labels" if is_header else "two cells, an id and a label"
                raise DataError(
                    f"{where} must be {needed}, found {','.join(cells)[:40]!r}: correct it, or remove the file to get "
                    "ids 1 to n."
                )
            check_key(where, table[0][0] if table else "id", cells[0])
            table.append(cells)
        if not table:
            raise not_csv(source, "an empty file")
    (id_name, label_name), *answers = table
    return (id_name, label_name), key_array([name for name, _ in answers])
