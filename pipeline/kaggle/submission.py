"""The submission file: written, read back, and checked before an attempt is spent on it.

Kaggle accepts a file that it cannot score as meant, and counts it as one of the day's attempts. So every
fault that can be seen on this side is looked for here, each with its line.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import COMMAND, SubmissionError, UsageError, counted
from pipeline.storage import write_text

if TYPE_CHECKING:
    from pipeline.dataset import Competition
    from pipeline.runs.ledger import Ledger

# Total variation distance between predicted and training classes above which the file is called
# suspicious: a 98 % model is within 0.01, one that mixes up two of ten classes moves by about 0.1.
FAR_DISTRIBUTION = 0.1
SUBMISSION = "submission.csv"  # in a run's folder: its own
# Below this many rows one single label can be what the test rows really hold.
CONSTANT_ROWS = 10


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a submission. `line` counts from 1 (the header); None is the file."""

    line: int | None
    text: str
    is_error: bool = True

    def __str__(self) -> str:
        place = "" if self.line is None else f"line {self.line:,}: "
        return f"{'' if self.is_error else 'warning: '}{place}{self.text}"


def write_submission(path: Path | str, ids: Iterable, labels: Iterable, *, id_column: str, label_column: str) -> None:
    """Write one row for each id, atomically, and read it back.

    `ids` and `labels` are 1-D of equal length (n,): integers or strings. Raises UsageError when they are
    not, SubmissionError when an id stands twice or the file read back is not what was written, and
    StorageError when the disk refuses (the old file survives).
    """
    rows = [[id_column, label_column]]
    try:
        rows += [[_text(i), _text(label)] for i, label in zip(_items(ids), _items(labels), strict=True)]
    except ValueError as error:
        raise UsageError(f"{path} needs one label for each id, got different numbers of them.") from error
    twice = [value for value, count in Counter(row[0] for row in rows[1:]).items() if count > 1]
    if twice:
        raise SubmissionError(
            f"{path} was not written: {id_column} {twice[0]} stands twice among the test rows, where each id "
            f"must be there once; correct test.csv or sample_submission.csv."
        )
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    write_text(path, buffer.getvalue())
    if Path(path).read_bytes().decode("utf-8", "replace") != buffer.getvalue():
        raise SubmissionError(
            f"{path} read back is not what was written: the disk or another program changed it; write it again before "
            "submitting."
        )


def check_submission(
    path: Path | str,
    *,
    ids: Iterable,
    id_column: str,
    label_column: str,
    allowed_labels: Iterable,
    train_distribution: Sequence[float] | None = None,
) -> list[Fault]:
    """Everything that is wrong with the submission at `path`, in the order of its lines; [] when nothing is.

    `ids` (n,) are the test rows' ids in order, `allowed_labels` (k,) the training labels, and
    `train_distribution` (k,) how often each occurs in training (counts or shares, same order).
    Raises SubmissionError when the file is missing or cannot be read.
    """
    expected = [_text(value) for value in _items(ids)]
    allowed = [_text(value) for value in _items(allowed_labels)]
    text, faults = _decode(_read(Path(path)))
    if text is None:
        return faults
    try:
        # line_num is read while the reader runs: it counts the lines of the file, not the records.
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        return [*faults, Fault(reader.line_num, f"is not CSV ({error}): write the file again")]
    if not rows:
        return [*faults, Fault(None, f"the file is empty, it needs the header {id_column},{label_column}")]

    line, header = rows[0]
    if header != [id_column, label_column]:
        is_data = len(header) == 2 and header[0] in set(expected)
        faults.append(_header_fault(line, header, id_column, label_column, is_data))
        if len(header) != 2:
            return faults
        rows = [(0, []), *rows] if is_data else rows
    body = rows[1:]
    faults += _row_faults(body, expected, set(allowed), id_column, label_column)
    faults += _label_faults([row[1] for _, row in body if len(row) == 2], allowed, train_distribution)
    return sorted(faults, key=lambda fault: (not fault.is_error, fault.line or 0))


def find_submission(word: str, ledger: Ledger) -> Path:
    """The file at `word`, or the submission kept by the run whose id begins so. Raises UsageError, SubmissionError."""
    path = Path(word)
    if path.exists() or path.suffix:
        _read(path)
        return path
    run = ledger.run(word)
    kept = ledger.folder / run.id / SUBMISSION
    if not kept.exists():
        raise SubmissionError(f"Run {run.id} ({run.status}) kept no submission: {kept} does not exist.")
    return kept


def check_for(path: Path | str, competition: Competition) -> list[Fault]:
    """check_submission against a competition's test rows, classes and training labels."""
    train = competition.train
    return check_submission(
        path,
        ids=competition.ids,
        id_column=competition.id_column,
        label_column=competition.label_column,
        allowed_labels=train.classes,
        train_distribution=np.bincount(train.labels, minlength=len(train.classes)),
    )


def require_valid(path: Path | str, faults: Sequence[Fault]) -> None:
    """Raises SubmissionError when an error, not only a warning, is among `faults`."""
    errors = [fault for fault in faults if fault.is_error]
    if errors:
        more = f", and {len(errors) - 1:,} more" if len(errors) > 1 else ""
        raise SubmissionError(f"{path} is not fit to be submitted: {errors[0]}{more}.")


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for, perhaps for ever
            raise OSError(0, "it is no file")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SubmissionError(
            f"{path} does not exist: name a submission file, or make one with `{COMMAND}`."
        ) from error
    except OSError as error:
        raise SubmissionError(
            f"{path} cannot be read ({error.strerror or error}): name a CSV file that you may read."
        ) from error


def _decode(content: bytes) -> tuple[str | None, list[Fault]]:
    """The file's text, or None where it has none, and what is wrong with its encoding and line ends."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None, [Fault(1, "the file is UTF-16 (a spreadsheet or PowerShell wrote it), save it as UTF-8")]
    faults = []
    if content.startswith(b"\xef\xbb\xbf"):
        faults.append(Fault(1, "the file begins with a byte order mark, save it as UTF-8 without BOM"))
        content = content[3:]
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        return None, [*faults, Fault(line, f"byte {byte:#04x} is not UTF-8, save the file as UTF-8")]
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        return None, [*faults, Fault(line, "a zero byte: the file is damaged, write it again")]
    windows, alone = text.count("\r\n"), text.count("\r")
    if alone > windows:
        faults.append(Fault(1, "a line ends with a carriage return alone, where a line feed is expected"))
    elif windows:
        faults.append(Fault(1, "lines end as on Windows (CR LF), where LF is expected", is_error=False))
    return text, faults


def _header_fault(line: int, header: list[str], id_column: str, label_column: str, is_data: bool) -> Fault:
    want = f"{id_column},{label_column}"
    if is_data:
        return Fault(line, f"the header is missing, put {want} above the first row")
    hint = " (pandas: to_csv(..., index=False))" if header[:1] == [""] else ""
    return Fault(line, f"the header is {_short(','.join(header))}, it must be {want}{hint}")


def _row_faults(
    body: list[tuple[int, list[str]]], expected: list[str], allowed: set[str], id_column: str, label_column: str
) -> list[Fault]:
    faults, first_line, wanted = [], {}, set(expected)
    # '9' before '10'
    labels = f"the {len(allowed):,} training labels ({_few(sorted(allowed, key=lambda name: (len(name), name)))})"
    for line, row in body:
        if len(row) != 2:
            what = f"{len(row)} values, where 2 are expected" if row else "a blank line, delete it"
            faults.append(Fault(line, what))
            continue
        value, label = row
        if value in first_line:
            faults.append(Fault(line, f"{id_column} {_short(value)} is on line {first_line[value]:,} already"))
        elif value not in wanted:
            text = f"{id_column} {_short(value)} is none of the {counted(len(expected), 'test row')}"
            faults.append(Fault(line, text))
        first_line.setdefault(value, line)
        if label not in allowed:
            faults.append(Fault(line, f"{label_column} is {_short(label)}, it must be one of {labels}"))
    missing = [value for value in expected if value not in first_line]
    if missing:
        count = f"{len(missing):,} of {counted(len(expected), 'test row')}"
        faults.append(Fault(None, f"{count} without a prediction: {id_column} {_few(missing)}"))
    if len(body) != len(expected):
        faults.append(Fault(None, f"{counted(len(body), 'row')}, where test.csv has {len(expected):,}"))
    if not missing and len(first_line) == len(body) == len(expected):
        pairs = zip(first_line.items(), expected, strict=True)
        for line, value, want in [(line, value, want) for (value, line), want in pairs if value != want][:1]:
            text = f"{id_column} is {_short(value)} where {_short(want)} follows in test.csv: sort the rows"
            faults.append(Fault(line, text))
    return faults


def _label_faults(labels: list[str], allowed: list[str], train_distribution: Sequence[float] | None) -> list[Fault]:
    """Labels that are valid one by one, and together look like a mistake."""
    counts = Counter(labels)
    if len(counts) == 1 and len(labels) >= CONSTANT_ROWS:
        same = f"all {len(labels):,} predictions are {_short(labels[0])}"
        return [Fault(None, f"{same}: this is the sample file or a model that learned nothing")]
    known = np.array([counts[label] for label in allowed], dtype=np.float64)
    if train_distribution is None or not known.sum():
        return []
    train = np.asarray(train_distribution, dtype=np.float64)
    if train.shape != known.shape:
        raise UsageError(f"train_distribution needs {len(known)} values, one a label, got {train.size}.")
    train = train / train.sum()
    share = known / known.sum()
    distance = np.abs(share - train).sum() / 2
    # What chance alone does to n rows: E|p̂ - p| = √(2 p (1 - p) / (π n)) for each class.
    by_chance = np.sqrt(2 * train * (1 - train) / (np.pi * known.sum())).sum() / 2
    if distance <= FAR_DISTRIBUTION + 2 * by_chance:
        return []
    worst = int(np.argmax(np.abs(share - train)))
    text = (
        f"the labels are far from the training classes (distance {distance:.2f}, 0 is equal), most "
        f"{_short(allowed[worst])}: {share[worst]:.1%} of the rows here, {train[worst]:.1%} in training"
    )
    return [Fault(None, text, is_error=False)]


def _items(values: Iterable) -> list:
    """A list of Python values, from an array, a list or a range."""
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _text(value: object) -> str:
    """How a value stands in the file: 3, not 3.0 and not np.int64(3)."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value)


def _short(value: str, limit: int = 40) -> str:
    return repr(value if len(value) <= limit else value[: limit - 1] + "…")


def _few(values: Sequence[str], limit: int = 5) -> str:
    rest = f" and {len(values) - limit:,} more" if len(values) > limit else ""
    return ", ".join(values[:limit]) + rest
