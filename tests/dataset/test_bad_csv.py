"""Every way in which a CSV can be wrong, and the sentence that says so."""

import os
from pathlib import Path

import pytest
from tiny_competition import TEST, TRAIN

from pipeline.dataset import limits, load, source
from pipeline.errors import DataError

CELL_END = ": correct the cell or download the file again."
NOT_CSV = " is not a CSV file: its first line must be UTF-8 text with column names between commas, found "


def message(folder, **options):
    """The sentence for `folder` without the folder's own path. Nothing may have been written."""
    with pytest.raises(DataError) as caught:
        load(folder, **options)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    assert not (folder / ".inkproof-cache").exists()
    return text.replace(f"{folder}/", "").replace(f"{folder}", "FOLDER")


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("256", "'256'"),
        ("300", "'300'"),
        ("1000", "'1000'"),
        ("99999999999999999999999", "'99999999999999999999…'"),
        ("-1", "'-1'"),
        ("-0", "'-0'"),
        ("7.00", "'7.00'"),
        ("07.0", "'07.0'"),
        ("256.0", "'256.0'"),
        ("", "a blank cell"),
        (" ", "' '"),
        ("nan", "'nan'"),
        ("NaN", "'NaN'"),
        ("inf", "'inf'"),
        ("abc", "'abc'"),
        ("x", "'x'"),
        ("7x", "'7x'"),
        (" 7", "' 7'"),
        ("7 ", "'7 '"),
        ("+7", "'+7'"),
        ("1e2", "'1e2'"),
        ("0x1", "'0x1'"),
        ("1_0", "'1_0'"),
        ("٣", "'٣'"),
        ("0007", "'0007'"),
    ],
)
@pytest.mark.parametrize("column", ["pixel0", "pixel1", "pixel3"])
def test_pixel(folder, cell, shown, column):
    position = 1 + int(column[-1])
    lines = TRAIN.splitlines()
    for bad_line in (2, 3):  # the second is never reached
        cells = lines[bad_line].split(",")
        cells[position] = cell
        lines[bad_line] = ",".join(cells)
    (folder / "train.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert message(folder) == (
        f"train.csv, row 2 (line 3), column '{column}' must be a pixel, a whole number from 0 to 255, found {shown}"
        + CELL_END
    )


@pytest.mark.parametrize(
    "cell", ["", " ", "nan", "1.5", "1e5", "inf", " 1", "1\u200b", "\ufeff1", "1\0", "=5+0", "٥", "+1", "9" * 256]
)
def test_label(folder, cell):
    (folder / "train.csv").write_text(TRAIN.replace("\n1,7,", f"\n{cell},7,"), encoding="utf-8")
    shown = repr(cell if len(cell) < 30 else "9" * 20 + "…") if cell else "a blank cell"
    assert message(folder) == (
        f"train.csv, row 4 (line 5), column 'label' must be a whole number or a word, found {shown}{CELL_END}"
    )


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("1,7,70,100", 4),
        ("1,7,70,100,200,9", 6),
        ("1,7,70,100,200,", 6),
        ("1", 1),
        ("1,7,70,100,200,1,7,70,100,200", 10),
    ],
)
@pytest.mark.parametrize("number", [1, 4])
def test_row_of_wrong_length(folder, row, cells, number):
    lines = TRAIN.splitlines()
    lines[number] = row
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    assert message(folder) == (
        f"train.csv, row {number} (line {number + 1}) has {cells} cells where the header has 5: every row needs "
        "one cell for each column, so correct the row or download the file again."
    )


def test_all_rows_longer_than_the_header(folder):
    header, *rows = TRAIN.splitlines()
    (folder / "train.csv").write_text("\n".join([header, *(f"9,{row}" for row in rows)]))
    assert "row 1 (line 2) has 6 cells where the header has 5" in message(folder)


def test_short_row_made_up_for_by_a_long_one(folder):
    (folder / "train.csv").write_text(TRAIN.replace("2,3\n1,10", "2\n3,1,10"))
    assert "row 1 (line 2) has 4 cells where the header has 5" in message(folder)


def test_row_broken_into_two_lines(folder):
    (folder / "train.csv").write_text(TRAIN.replace("10,20", "10\n20"))
    assert "row 2 (line 3) has 2 cells where the header has 5" in message(folder)


def test_blank_line_between_rows(folder):
    (folder / "train.csv").write_text(TRAIN.replace("\n1,10", "\n\n1,10"))
    assert message(folder) == ("train.csv, row 2 (line 3) is blank where a row is expected: remove the blank line.")


@pytest.mark.parametrize("missing", ["train.csv", "test.csv"])
def test_file_missing(folder, missing):
    (folder / missing).unlink()
    assert message(folder) == (
        f"FOLDER has no {missing}, and both train.csv and test.csv are needed: put Kaggle's files there, or name "
        "another place with --data."
    )


def test_nothing_there(tmp_path):
    assert "FOLDER holds no data, found neither train.csv" in message(tmp_path)
    missing = tmp_path / "nowhere"
    with pytest.raises(DataError, match="nowhere does not exist: check its name"):
        load(missing)


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_empty_and_header_only(folder, name):
    good = (folder / name).read_text()
    (folder / name).write_text("")
    assert message(folder) == (
        f"{name} is empty where a header line such as label,pixel0,pixel1,… is expected: download it again."
    )
    for end in ("", "\n", "\r\n\r\n"):
        (folder / name).write_text(good.splitlines()[0] + end, newline="")
        assert message(folder) == (
            f"{name} has a header but no rows below it, where one row for each picture is expected: download it again."
        )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "b'\\x89PNG\\r\\n'"),
        ("label,a\n1,2\n".encode("utf-16"), "b'\\xff\\xfel\\x00a\\x00b\\x00e\\x00l\\x00,\\x00a\\x00\\n'"),
        (b"PK\x03\x04\x14\0,\0\n", "'PK\\x03\\x04\\x14\\x00,\\x00'"),
        (b"<!doctype html><html><head>\n", "'<!doctype html><html><he'"),
        (b"label;pixel0;pixel1\n1;2;3\n", "'label;pixel0;pixel1'"),
        (b'label,"a\n1,2\n', "b'label,\"a\\n'"),
        (b"\n\n1,2\n", "''"),
    ],
    ids=["png", "UTF-16", "zip", "html", "semicolons", "open quote", "blank first line"],
)
def test_not_csv(folder, content, found):
    (folder / "train.csv").write_bytes(content)
    assert message(folder) == (f"train.csv{NOT_CSV}{found}; take Kaggle's own file, or save the table as CSV.")


def test_bytes_that_are_not_utf8(folder):
    (folder / "train.csv").write_bytes(TRAIN.encode().replace(b"\n1,7", b"\n\xe4,7"))
    assert "train.csv holds bytes that are not UTF-8 text" in message(folder)


def test_open_quote_in_a_row(folder):
    (folder / "train.csv").write_text(TRAIN.replace("30", '"30'))
    assert "train.csv, row 2 (line 5) is not CSV (unexpected end of data)" in message(folder)


def test_unreadable_file(folder):
    (folder / "train.csv").unlink()
    (folder / "train.csv").mkdir()
    assert message(folder) == (
        "train.csv could not be read (Is a directory): check that it is a file that you may read, or download it again."
    )


def test_no_permission(folder, monkeypatch):
    good_open = Path.open

    def closed(self, *arguments, **options):
        if self.name == "test.csv":
            raise PermissionError(13, "Permission denied", str(self))
        return good_open(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", closed)
    assert "test.csv could not be read (Permission denied): check that" in message(folder)


def test_one_class_only(folder):
    (folder / "train.csv").write_text(TRAIN.replace("\n0,", "\n1,"))
    assert message(folder) == (
        "train.csv holds 1 class (every label is 1) where 2 to 1,000 classes are allowed: check that it is the "
        "label column and that no rows were lost."
    )


def test_too_many_classes(folder):
    rows = "".join(f"{label},1,2,3,4\n" * 2 for label in range(1001))
    (folder / "train.csv").write_text(TRAIN.splitlines()[0] + "\n" + rows)
    assert "train.csv holds 1,001 classes where 2 to 1,000 classes are allowed" in message(folder)


def test_class_with_a_single_row(folder):
    (folder / "train.csv").write_text(TRAIN + "8,1,2,3,4\n")
    assert message(folder) == (
        "train.csv holds class 8 in a single row (row 5) where every class needs at least 2, one to train on and "
        "one to check with: add rows of this class, or remove it."
    )


def test_no_label_column(folder):
    (folder / "train.csv").write_text(TRAIN.replace("label", "digit"))
    assert message(folder) == (
        "train.csv has no column named 'label' in its first line, found digit, pixel0, pixel1, …: name the "
        "label's column with --label-column."
    )
    assert load(folder, label_column="digit", cache=False).train.n == 4
    assert "has no column 'nope', found digit, pixel0" in message(folder, label_column="nope")
    assert "test.csv has no column 'nope'" in message(folder, label_column="digit", id_column="nope")


def test_not_square(folder):
    (folder / "train.csv").write_text("label,a,b,c\n0,1,2,3\n")
    assert message(folder) == (
        "train.csv has 3 pixel columns where a square picture is needed (such as 8×8 = 64 or 28×28 = 784): check "
        "that no column is missing, and name an id column with --id-column."
    )


def test_train_and_test_differ(folder):
    (folder / "test.csv").write_text("pixel0,pixel1,pixel2\n1,2,3\n")
    assert "test.csv has 3 pixel columns where train.csv has 4, and both need the same" in message(folder)
    (folder / "test.csv").write_text(TEST.replace("pixel2", "other"))
    assert "test.csv has column 'other' where train.csv has 'pixel2'" in message(folder)


def test_repeated_ids(folder):
    (folder / "test.csv").write_text("id,pixel0,pixel1,pixel2,pixel3\n5,1,2,3,4\n5,1,2,3,4\n")
    assert "test.csv holds id '5' in 2 rows where each row needs an id of its own" in message(folder)


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("id,label\n1,0\n", "sample_submission.csv has 1 rows where test.csv has 3, and both need the same number"),
        ("id,label\n1,0\n2\n", "sample_submission.csv, row 2 (line 3) must be two cells, an id and a label, found '2'"),
        ("id,a,b\n", "sample_submission.csv, the header must be two cells, an id and a label, found 'id,a,b'"),
        ("id,label\n1,0\n2,0\n2,0\n", "sample_submission.csv holds id '2' in 2 rows where each row needs an id"),
        ("", "sample_submission.csv is not a CSV file"),
    ],
)
def test_sample_submission(folder, sample, expected):
    (folder / "sample_submission.csv").write_text(sample)
    assert message(folder).startswith(expected)


def test_sample_submission_with_other_ids(folder):
    (folder / "test.csv").write_text("id,pixel0,pixel1,pixel2,pixel3\n5,1,2,3,4\n6,1,2,3,4\n")
    for other in ("7", "b"):
        (folder / "sample_submission.csv").write_text(f"id,label\n5,0\n{other},0\n")
        assert "sample_submission.csv holds other ids than test.csv" in message(folder)


def test_scaled_pixels_get_the_advice_that_helps(folder):
    (folder / "train.csv").write_text(TRAIN.replace("10,20", "10,0.6173"))
    assert message(folder) == (
        "train.csv, row 2 (line 3), column 'pixel1' must be a pixel, a whole number from 0 to 255, found '0.6173': "
        "pixels that were scaled must be brought back to whole numbers."
    )


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (
            "label," + ",".join(f"p{i}" for i in range(3072)),
            "as many have pictures of 32×32 in three colours, so make them grey first.",
        ),
        (
            "45,0,0,0,7",
            "train.csv has no header: its first line holds numbers as rows do, found 45, 0, 0, …; put a line",
        ),
        ("5.0,0.0,0.0,1.0,0.0", "train.csv has no header: its first line holds numbers"),
        (
            "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked",
            "found PassengerId, Survived, Pclass, …: name other data, whose rows are pictures.",
        ),
    ],
    ids=["colour", "EMNIST", "floats", "Titanic"],
)
def test_tables_of_other_kinds(folder, header, found):
    (folder / "train.csv").write_text(header + "\n" + ",".join("1" * header.count(",")) + ",1\n")
    assert found in message(folder)


def test_label_column_in_the_test_rows(folder):
    (folder / "test.csv").write_text(TRAIN)
    assert message(folder) == (
        "test.csv has a label column, 'label', where test rows are those whose label is to be predicted: remove the "
        "column."
    )
    (folder / "train.csv").write_text(TRAIN.replace("label", "digit"))
    (folder / "test.csv").write_text(TRAIN.replace("label", "digit"))
    assert "test.csv has a label column, 'digit'" in message(folder, label_column="digit")


def test_tables_of_other_names_are_named(tmp_path):
    for name in ("fashion-mnist_train.csv", "fashion-mnist_test.csv"):
        (tmp_path / name).write_text(TRAIN)
    expected = "(but fashion-mnist_test.csv, fashion-mnist_train.csv: are these to be named so?)"
    for path in (tmp_path, tmp_path / "fashion-mnist_train.csv"):
        with pytest.raises(DataError) as caught:
            load(path)
        assert expected in str(caught.value)


ODD = ["0x1", "01", '"1,000"', "1%", "NA", "None", "²", "99999999999999999999"]


@pytest.mark.parametrize("cell", ODD)
def test_odd_labels_are_told_with_their_rows(folder, cell):
    with (folder / "train.csv").open("a", encoding="utf-8") as file:
        file.write(f"{cell},1,2,3,4\n0,1,2,3,4\n{cell},1,2,3,4\n")
    name = cell.strip('"')
    assert message(folder) == (
        f"train.csv holds label {name!r} in 2 rows (such as 5, 7), which looks like a damaged number or a missing "
        "value: correct these labels, or remove the rows."
    )


@pytest.mark.parametrize(
    "labels", [("01", "10"), ("a", "1"), ("T-shirt/top", "1st"), ("none", "Edge-Ring"), ("-5", "7"), ("1,000", "2,000")]
)
def test_labels_that_are_names(folder, labels):
    rows = "".join(f'"{label}",1,2,3,4\n' for label in labels * 2)
    (folder / "train.csv").write_text(TRAIN.splitlines()[0] + "\n" + rows)
    assert [str(name) for name in load(folder, cache=False).train.classes] == sorted(labels, key=lambda name: name)


@pytest.mark.parametrize("cell", ["1;7", "", " 2", "2e0", "2.0", "nan", "=5+0", "٥", "2\0", "02", "0x2", "b", "NA"])
def test_ids_of_a_sample_submission_follow_the_rules_of_test_rows(folder, cell):
    lines = ["ImageId,Label", "1,0", f"{cell},0", "3,0"]
    (folder / "sample_submission.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert message(folder).startswith("sample_submission.csv, row 2 ")
    (folder / "sample_submission.csv").unlink()
    rows = ["id,pixel0,pixel1,pixel2,pixel3", "1,1,2,3,4", f"{cell},1,2,3,4", "3,1,2,3,4"]
    (folder / "test.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert message(folder).startswith("test.csv, row 2 ")


@pytest.mark.parametrize("header", [",", "Id,Id", "Id,", " Id,Label", "1,0", '"I\nd",Label', "I\u200bd,Label"])
def test_header_of_a_sample_submission(folder, header):
    (folder / "sample_submission.csv").write_text(f"{header}\n1,0\n2,0\n3,0\n", encoding="utf-8")
    assert message(folder).startswith("sample_submission.csv, the header must be two different names")


def test_ids_that_are_names(folder):
    ids = ["007", "008", "010"], ["img_1", "7", "b;c"], ["3f", "99", "0a"]
    for names in ids:
        (folder / "sample_submission.csv").write_text("Id,Label\n" + "".join(f"{name},0\n" for name in names))
        assert load(folder, cache=False).ids.tolist() == names


def test_a_pipe_is_not_waited_for(folder):
    (folder / "train.csv").unlink()
    os.mkfifo(folder / "train.csv")
    assert "train.csv could not be read (it is a pipe or a device)" in message(folder)
    os.mkfifo(folder / "data.zip")
    with pytest.raises(DataError, match="it is a pipe or a device"):
        load(folder / "data.zip")


def test_a_name_that_is_too_long(folder):
    with pytest.raises(DataError, match="could not be read \\(File name too long\\)"):
        load(folder / ("a" * 300))


@pytest.mark.parametrize(
    ("end", "found"),
    [
        ("7" * 2**21, "row 5 has more than 1,048,576 letters"),
        ("7," * 2**20, "row 5 has more than 1,048,576 letters"),
        ('1,"' + "a\n" * 10**5, "is not CSV (field larger than field limit"),
        ('"a\n",' * 2**18, "row 5 has more than 1,048,576 letters"),
        ("\n" * 2**21, "row 5 (line 6) is blank"),
        ("\r\n" * 1500 + "1,1,2,3,4\n", "row 5 (line 6) is blank"),
    ],
    ids=["cell", "line", "quote", "record", "newlines", "newlines between rows"],
)
def test_lines_without_end(folder, end, found):
    (folder / "train.csv").write_text(TRAIN + end, newline="")
    assert found in message(folder)


def test_blank_lines_at_the_end_are_no_rows(folder):
    (folder / "train.csv").write_text(TRAIN + "\n" * limits.MAX_BLANK_LINES)
    assert load(folder, cache=False).train.n == 4


def test_reading_that_takes_too_long_ends_with_a_sentence(folder, monkeypatch):
    monkeypatch.setattr(source, "READ_SECONDS", -1)
    assert "train.csv took more than -1 s to read its first" in message(folder)
    monkeypatch.setattr(source, "READ_BYTES_A_SECOND", 1)  # the same time is little for so many bytes
    assert load(folder, cache=False).train.n == 4


def test_too_many_rows(folder, monkeypatch):
    from pipeline.dataset import exact, rows

    monkeypatch.setattr(exact, "MAX_ROWS", 3)
    monkeypatch.setattr(rows, "MAX_ROWS", 3)
    assert message(folder) == "train.csv has more than the 3 rows that are allowed: take a part of them."
