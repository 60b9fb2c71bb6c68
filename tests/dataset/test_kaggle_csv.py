"""Good files in all their spellings: what is read, and how the submission must be written."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_competition import TRAIN

from pipeline.dataset import exact, load, rows
from pipeline.dataset.columns import Layout

TRAIN_PIXELS = [[0, 1, 2, 3], [10, 20, 30, 40], [255, 254, 253, 252], [7, 70, 100, 200]]


def test_digit_recognizer_without_sample_file(folder):
    competition = load(folder)
    train, test = competition.train, competition.test
    assert train.images.dtype == np.uint8 and train.images.flags.c_contiguous
    assert train.images.tolist() == [[row[:2], row[2:]] for row in TRAIN_PIXELS]
    assert test.images[2].tolist() == [[1, 0], [255, 128]]
    assert (train.n, test.n, train.side) == (4, 3, 2)
    assert train.labels.dtype == np.int64 and train.labels.tolist() == [0, 1, 0, 1]
    assert train.classes.tolist() == [0, 1] and test.labels is None
    assert (competition.id_column, competition.label_column) == ("ImageId", "Label")
    assert competition.ids.tolist() == [1, 2, 3]
    assert not competition.is_sample and competition.source == folder


@pytest.mark.parametrize(
    "spelling",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: text + "\r\n\n\n",
        lambda text: '"' + text.replace("\n", '"\n', 1).replace(",", '","', 4),
        lambda text: "\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in text.splitlines()),
        lambda text: text.replace(",7,", ",007,"),
        lambda text: text.replace("label", "Label"),
    ],
    ids=["CRLF", "BOM", "no last newline", "blank end", "quoted header", "quoted", "zeros", "capital"],
)
def test_spellings_of_the_same_file(folder, spelling):
    expected = load(folder, cache=False).fingerprint
    (folder / "train.csv").write_text(spelling(TRAIN), newline="", encoding="utf-8")
    assert load(folder, cache=False).fingerprint == expected


def test_labels_may_be_words_or_any_numbers(folder):
    (folder / "train.csv").write_text(TRAIN.replace("\n0,", "\nÄ,").replace("\n1,", "\nB b,"), encoding="utf-8")
    train = load(folder).train
    assert train.classes.tolist() == ["B b", "Ä"] and train.labels.tolist() == [1, 0, 1, 0]

    (folder / "train.csv").write_text(TRAIN.replace("\n0,", "\n1000,").replace("\n1,", "\n-5,"))
    train = load(folder).train
    assert train.classes.dtype == np.int64
    assert train.classes.tolist() == [-5, 1000] and train.labels.tolist() == [1, 0, 1, 0]


def test_quotes_are_no_part_of_a_label(folder):
    (folder / "train.csv").write_text(TRAIN.replace("\n0,", '\n"a,b",').replace("\n1,", '\n"c",'))
    assert load(folder).train.classes.tolist() == ["a,b", "c"]
    (folder / "train.csv").write_text(TRAIN.replace("\n0,", '\n"a",'))
    assert load(folder).train.classes.tolist() == ["1", "a"]


def test_label_column_elsewhere_and_an_id_column(folder):
    (folder / "train.csv").write_text("a,ID,b,kind,c,d\n1,77,2,x,3,4\n5,78,6,y,7,8\n9,79,10,x,11,12\n0,80,0,y,0,0\n")
    (folder / "test.csv").write_text("a,b,c,d,ID\n1,2,3,4,img_9\n5,6,7,8,img_12345\n")
    competition = load(folder, label_column="kind")
    assert competition.train.images[1].tolist() == [[5, 6], [7, 8]]
    assert competition.train.labels.tolist() == [0, 1, 0, 1]
    assert (competition.id_column, competition.label_column) == ("ID", "kind")
    assert competition.ids.tolist() == ["img_9", "img_12345"]


def test_given_id_column(folder):
    (folder / "test.csv").write_text("key,pixel0,pixel1,pixel2,pixel3\n007,1,2,3,4\n008,1,2,3,4\n")
    competition = load(folder, id_column="key")
    assert competition.id_column == "key" and competition.ids.tolist() == ["007", "008"]


def test_sample_submission_decides_header_and_ids(folder):
    (folder / "sample_submission.csv").write_text("Picture,Digit\r\n30,0\r\n10,0\r\n20,0\r\n", newline="")
    competition = load(folder)
    assert (competition.id_column, competition.label_column) == ("Picture", "Digit")
    assert competition.ids.tolist() == [30, 10, 20]


def test_ids_of_test_rows_stay_with_their_rows(folder):
    (folder / "test.csv").write_text("id,pixel0,pixel1,pixel2,pixel3\n5,1,2,3,4\n4,1,2,3,4\n")
    (folder / "sample_submission.csv").write_text("id,label\n4,0\n5,0\n")
    competition = load(folder)
    assert competition.id_column == "id" and competition.ids.tolist() == [5, 4]


def test_take(folder):
    taken = load(folder).train.take(np.array([3, 0]))
    assert taken.images[:, 0, 0].tolist() == [7, 0] and taken.labels.tolist() == [1, 0]
    assert taken.images.flags.c_contiguous and taken.classes.tolist() == [0, 1]


def test_fingerprint_follows_the_contents(folder):
    before = load(folder).fingerprint
    assert load(folder).fingerprint == before
    for name, old, new in [("train.csv", "10,20", "10,21"), ("test.csv", "9,8", "9,9"), ("train.csv", "\n0", "\n2")]:
        good = (folder / name).read_text()
        (folder / name).write_text(good.replace(old, new))
        assert load(folder).fingerprint != before
        (folder / name).write_text(good)
    assert load(folder).fingerprint == before


def test_name_of_a_csv_file_stands_for_its_folder(folder):
    assert load(folder / "train.csv").fingerprint == load(folder).fingerprint


def test_blocks_meet_in_the_middle_of_rows(folder, monkeypatch):
    expected = load(folder, cache=False)
    for size in (1, 2, 7, 16, 33):
        monkeypatch.setattr(rows, "BLOCK_BYTES", size)
        found = load(folder, cache=False)
        assert found.fingerprint == expected.fingerprint and found.ids.tolist() == [1, 2, 3]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(-99, 99999), st.lists(st.integers(0, 255), min_size=3, max_size=3)), min_size=1))
def test_plain_decoding_agrees_with_pandas(table):
    text = "".join(f"{pixels[0]},{key},{pixels[1]},{pixels[2]}\n" for key, pixels in table)
    pixels, key = rows.decode(text.encode(), Layout(("a", "key", "b", "c"), 1, (0, 2, 3)))
    theirs = pd.read_csv(io.StringIO(text), header=None)
    assert np.array_equal(pixels, theirs[[0, 2, 3]]) and list(map(int, key)) == theirs[1].tolist()


@settings(deadline=None, max_examples=300)
@given(st.lists(st.lists(st.text("0127,9x -+.\r\n", max_size=4), min_size=3, max_size=3), min_size=1, max_size=4))
def test_plain_decoding_takes_nothing_that_the_exact_reader_refuses(tmp_path_factory, table):
    text = "".join(",".join(row) + "\n" for row in table)
    layout = Layout(("key", "a", "b"), 0, (1, 2))
    path = tmp_path_factory.mktemp("twin") / "t.csv"
    path.write_text("key,a,b\n" + text, newline="")
    source = rows.Source(path)
    try:
        ((pixels, key),) = rows._plain_blocks(source, layout)
    except rows.NotPlain:
        return
    ((exact_pixels, exact_key),) = exact.blocks(source, layout)
    assert np.array_equal(pixels, exact_pixels) and key == exact_key


def test_plain_files_never_take_the_slow_way(folder, monkeypatch):
    monkeypatch.setattr(exact, "blocks", None)
    (folder / "test.csv").write_text("id,pixel0,pixel1,pixel2,pixel3\n12345,1,2,3,4\nimg_7,1,2,3,4\n")
    assert load(folder, cache=False).ids.tolist() == ["12345", "img_7"]
