"""Extra training rows: what is read, which class each label is, and one sentence for each fault."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dataset import Digits
from pipeline.dataset.extra import read_extra
from pipeline.errors import DataError

HEADER = "label,pixel0,pixel1,pixel2,pixel3\n"


def rows_of(classes) -> Digits:
    """Labelled 2×2 pictures of these classes, as a competition has them."""
    return Digits(np.zeros((2, 2, 2), np.uint8), np.array([0, 1]), np.array(classes))


@pytest.fixture
def write(tmp_path):
    def write(text, name="corrections.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return write


def test_labels_become_places_among_the_competitions_classes(write):
    path = write(HEADER + "9,0,1,2,3\n-4,10,20,30,40\n9,255,254,253,252\n")
    extra = read_extra(path, rows_of([-4, 2, 9]))
    assert extra.labels.dtype == np.int64 and extra.labels.tolist() == [2, 0, 2]  # class 2 has no row: it need not
    assert extra.classes.tolist() == [-4, 2, 9]
    assert extra.images.dtype == np.uint8 and extra.images.flags.c_contiguous
    assert extra.images.tolist() == [[[0, 1], [2, 3]], [[10, 20], [30, 40]], [[255, 254], [253, 252]]]


@pytest.mark.parametrize(
    ("classes", "label", "place"),
    [(["cat", "dog"], "dog", 1), (["07", "7"], "7", 1), (["07", "7"], "07", 0), (["10", "é"], "é", 1)],
)
def test_classes_that_are_words(write, classes, label, place):
    assert read_extra(write(f"{HEADER}{label},1,2,3,4\n"), rows_of(classes)).labels.tolist() == [place]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("pixel0,label,pixel1,pixel2,pixel3\n1,5,2,3,4\n", {}),
        ("id,label,pixel0,pixel1,pixel2,pixel3\n77,5,1,2,3,4\n", {}),
        ("digit,a,b,c,d\n5,1,2,3,4\n", {"label_column": "digit"}),
        (HEADER + "5.0,1.0,2.0,3,4.0\n", {}),
        (HEADER + "5,1,2,3,4\n", {"label_column": "digit", "id_column": "row"}),  # the page's own names do as well
        ("row,digit,a,b,c,d\n9,5,1,2,3,4\n", {"label_column": "digit", "id_column": "row"}),
        ('\ufeff"label","a","b","c","d"\r\n"5","1","2","3","4"\r\n', {}),
    ],
)
def test_other_spellings(write, text, options):
    extra = read_extra(write(text), rows_of([3, 5]), **options)
    assert extra.labels.tolist() == [1]
    assert extra.images.tolist() == [[[1, 2], [3, 4]]]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 255), min_size=9, max_size=9)), min_size=1))
def test_what_was_written_is_read(tmp_path_factory, given_rows):
    path = tmp_path_factory.mktemp("extra") / "extra.csv"
    lines = [",".join(map(str, [label, *pixels])) for label, pixels in given_rows]
    path.write_text("\n".join(["label," + ",".join(f"pixel{i}" for i in range(9)), *lines]) + "\n")
    train = Digits(np.zeros((1, 3, 3), np.uint8), np.array([0]), np.arange(10)[::-1])
    extra = read_extra(path, train)
    assert (9 - extra.labels).tolist() == [label for label, _ in given_rows]
    assert extra.images.reshape(-1, 9).tolist() == [pixels for _, pixels in given_rows]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER + "3,1,2,3,4\n8,1,2,3,4\n", r"row 2, column 'label' must be one of .* 3, 5, found '8'"),
        (HEADER + "3,1,2,3,4\n03,1,2,3,4\n", r"row 2, column 'label' .* found '03'"),
        (HEADER + "3,1,2,3,4\nseven,1,2,3,4\n", r"row 2, column 'label' .* found 'seven'"),
        (HEADER + "3,1,2,3,4\n5.5,1,2,3,4\n", r"row 2 \(line 3\), column 'label'"),
        (HEADER + "3,1,2,256,4\n", r"row 1 \(line 2\), column 'pixel2' .* found '256'"),
        (HEADER + "3,1,2,3\n", r"row 1 \(line 2\) has 4 cells"),
        (HEADER, "no rows below it"),
        ("label," + ",".join(f"pixel{i}" for i in range(9)) + "\n" + "3" + ",0" * 9 + "\n", r"\(3×3\).*\(2×2\)"),
        ("label,a,b,c\n3,1,2,3\n", "3 pixel columns where a square picture"),
        ("a,b,c,d,e\n1,2,3,4,5\n", "no column named 'label'"),
        ("", "is empty"),
        ("\x00\x01\x02", "is not a CSV file"),
    ],
)
def test_each_fault_is_one_sentence_that_names_the_file(write, text, words):
    with pytest.raises(DataError, match=words) as fault:
        read_extra(write(text), rows_of([3, 5]))
    assert "corrections.csv" in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv does not exist: check its name"):
        read_extra(tmp_path / "none.csv", rows_of([3, 5]))
    with pytest.raises(DataError, match="could not be read"):
        read_extra(tmp_path, rows_of([3, 5]))
