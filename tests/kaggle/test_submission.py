"""The submission file: every fault that Kaggle would not name, each with its line."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StorageError, SubmissionError, UsageError
from pipeline.kaggle.submission import Fault, check_submission, require_valid, write_submission

COLUMNS = {"id_column": "ImageId", "label_column": "Label"}


def faults(tmp_path, content: str | bytes, ids=(1, 2, 3), allowed=range(10), **settings) -> list[str]:
    path = tmp_path / "submission.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = check_submission(path, ids=ids, allowed_labels=allowed, **COLUMNS, **settings)
    return [str(fault) for fault in found]


def test_bytes_of_a_written_file(tmp_path):
    path = tmp_path / "new" / "submission.csv"
    write_submission(path, np.array([1, 2, 3]), np.array([7, 0, 3], dtype=np.int64), **COLUMNS)
    assert path.read_bytes() == b"ImageId,Label\n1,7\n2,0\n3,3\n"


def test_other_columns_and_text(tmp_path):
    path = tmp_path / "s.csv"
    labels = np.array(["a,b", 'say "x"'])
    write_submission(path, ["x1", "x2"], labels, id_column="id", label_column="label")
    assert path.read_text() == 'id,label\nx1,"a,b"\nx2,"say ""x"""\n'
    kinds = {"id_column": "id", "label_column": "label", "allowed_labels": labels}
    assert check_submission(path, ids=["x1", "x2"], **kinds) == []


@given(labels=st.lists(st.integers(-5, 999), min_size=1, max_size=40), start=st.integers(0, 10**9))
def test_what_is_written_has_no_fault(tmp_path_factory, labels, start):
    path = tmp_path_factory.getbasetemp() / "property.csv"
    ids = np.arange(start, start + len(labels))
    write_submission(path, ids, labels, **COLUMNS)
    found = check_submission(path, ids=ids, allowed_labels=range(-5, 1000), **COLUMNS)
    constant = len(set(labels)) == 1 and len(labels) >= 10
    assert [fault for fault in found if not constant] == []
    assert len(found) == int(constant)


def test_refused_before_writing(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("old")
    with pytest.raises(UsageError, match="one label for each id"):
        write_submission(path, [1, 2, 3], [1, 2], **COLUMNS)
    with pytest.raises(SubmissionError, match="ImageId 2 stands twice"):
        write_submission(path, [1, 2, 2], [1, 2, 3], **COLUMNS)
    assert path.read_text() == "old"


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "s.csv"
    path.write_text("old")
    monkeypatch.setattr("pipeline.storage.os.fsync", no_space)
    with pytest.raises(StorageError, match="No space left"):
        write_submission(path, [1, 2], [1, 2], **COLUMNS)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def no_space(handle: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_disk_that_lies_is_found_by_reading_back(tmp_path, monkeypatch):
    def lose_a_byte(path, content):
        path.write_text(content[:-2])

    monkeypatch.setattr("pipeline.kaggle.submission.write_text", lose_a_byte)
    with pytest.raises(SubmissionError, match="read back is not what was written"):
        write_submission(tmp_path / "s.csv", [1, 2], [1, 22], **COLUMNS)


GOOD = "ImageId,Label\n1,7\n2,0\n3,3\n"


@pytest.mark.parametrize("content", [GOOD, GOOD[:-1], 'ImageId,Label\n"1","7"\n2,0\n3,3\n'])
def test_no_fault(tmp_path, content):
    assert faults(tmp_path, content) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ["the file is empty, it needs the header ImageId,Label"]),
        ("id,label\n1,7\n2,0\n3,3\n", ["line 1: the header is 'id,label', it must be ImageId,Label"]),
        ("1,7\n2,0\n3,3\n", ["line 1: the header is missing, put ImageId,Label above the first row"]),
        (
            ",ImageId,Label\n0,1,7\n",
            ["line 1: the header is ',ImageId,Label', it must be ImageId,Label (pandas: to_csv(..., index=False))"],
        ),
        (
            "ImageId,Label\n1,7\n2,0\n",
            ["1 of 3 test rows without a prediction: ImageId 3", "2 rows, where test.csv has 3"],
        ),
        (
            "ImageId,Label\n",
            ["3 of 3 test rows without a prediction: ImageId 1, 2, 3", "0 rows, where test.csv has 3"],
        ),
        (GOOD + "4,1\n", ["4 rows, where test.csv has 3", "line 5: ImageId '4' is none of the 3 test rows"]),
        (
            "ImageId,Label\n1,7\n2,0\n2,3\n",
            ["1 of 3 test rows without a prediction: ImageId 3", "line 4: ImageId '2' is on line 3 already"],
        ),
        (
            "ImageId,Label\n1,7\n3,0\n2,3\n",
            ["line 3: ImageId is '3' where '2' follows in test.csv: sort the rows"],
        ),
        (
            "ImageId,Label\n1,7\n2,\n3,3.0\n",
            [
                f"line {line}: Label is {found}, it must be one of the 10 training labels (0, 1, 2, 3, 4 and 5 more)"
                for line, found in ((3, "''"), (4, "'3.0'"))
            ],
        ),
        (
            "ImageId,Label\n1,7,0.9\n2,0\n3,3\n",
            ["1 of 3 test rows without a prediction: ImageId 1", "line 2: 3 values, where 2 are expected"],
        ),
        (
            "ImageId,Label\n1,7\n\n2,0\n3,3\n",
            ["4 rows, where test.csv has 3", "line 3: a blank line, delete it"],
        ),
        (
            b"\xef\xbb\xbf" + GOOD.encode(),
            ["line 1: the file begins with a byte order mark, save it as UTF-8 without BOM"],
        ),
        (
            GOOD.encode("utf-16"),
            ["line 1: the file is UTF-16 (a spreadsheet or PowerShell wrote it), save it as UTF-8"],
        ),
        (b"ImageId,Label\n1,7\n2,\xe9\n", ["line 3: byte 0xe9 is not UTF-8, save the file as UTF-8"]),
        (b"ImageId,Label\n1,7\0\n", ["line 2: a zero byte: the file is damaged, write it again"]),
        (GOOD.replace("\n", "\r\n"), ["warning: line 1: lines end as on Windows (CR LF), where LF is expected"]),
        (
            GOOD.replace("\n", "\r"),
            ["line 1: a line ends with a carriage return alone, where a line feed is expected"],
        ),
        ('ImageId,Label\n1,"7\n2,0\n', ["line 3: is not CSV (unexpected end of data): write the file again"]),
    ],
)  # fmt: skip
def test_fault(tmp_path, content, expected):
    assert faults(tmp_path, content) == expected


def test_quoted_line_ends_do_not_shift_the_lines(tmp_path):
    # Line 2 to 3 is one record, so the bad label is on line 4.
    found = faults(tmp_path, 'ImageId,Label\n1,"\n7"\n2,x\n3,3\n')
    assert [text.split(":")[0] for text in found] == ["line 3", "line 4"]


def rows(labels) -> str:
    return "ImageId,Label\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels, start=1))


def test_constant_predictions(tmp_path):
    expected = "all 10 predictions are '0': this is the sample file or a model that learned nothing"
    assert faults(tmp_path, rows([0] * 10), ids=range(1, 11)) == [expected]
    assert faults(tmp_path, rows([0] * 9), ids=range(1, 10)) == []


def test_a_distribution_far_from_training_is_a_warning(tmp_path):
    # 1,000 rows of which every third is 0, where training has ten equal classes: distance 0.333 - 0.1.
    labels = [0 if i % 3 == 0 else 1 + i % 9 for i in range(1000)]
    share = {"ids": range(1, 1001), "train_distribution": [100] * 10}
    (found,) = faults(tmp_path, rows(labels), **share)
    assert found.startswith("warning: the labels are far from the training classes (distance 0.")
    assert "most '0': 33.4% of the rows here, 10.0% in training" in found
    even = [i % 10 for i in range(1000)]
    assert faults(tmp_path, rows(even), **share) == []


def test_few_rows_are_far_by_chance_alone(tmp_path):
    rng = np.random.default_rng(3)
    for _ in range(50):
        labels = rng.integers(0, 10, 40)
        assert faults(tmp_path, rows(labels), ids=range(1, 41), train_distribution=[1] * 10) == []


def test_a_distribution_of_the_wrong_length(tmp_path):
    with pytest.raises(UsageError, match="needs 10 values, one a label, got 3"):
        faults(tmp_path, GOOD, train_distribution=[1, 2, 3])


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(SubmissionError, match="does not exist"):
        check_submission(tmp_path / "no.csv", ids=[1], allowed_labels=[0, 1], **COLUMNS)
    with pytest.raises(SubmissionError, match="cannot be read"):
        check_submission(tmp_path, ids=[1], allowed_labels=[0, 1], **COLUMNS)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(SubmissionError, match=r"pipe\.csv cannot be read \(it is no file\)"):
        check_submission(tmp_path / "pipe.csv", ids=[1], allowed_labels=[0, 1], **COLUMNS)


def test_require_valid():
    require_valid("s.csv", [Fault(1, "odd", is_error=False)])
    with pytest.raises(SubmissionError, match=r"s\.csv is not fit to be submitted: line 4: bad, and 1 more\."):
        require_valid("s.csv", [Fault(4, "bad"), Fault(5, "worse"), Fault(1, "odd", is_error=False)])
