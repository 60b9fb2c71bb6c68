"""The cache: used when it is right, rebuilt when it is not, never trusted, never in the way."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from tiny_competition import TRAIN

from pipeline.dataset import cache, load, rows


@pytest.fixture
def parses(monkeypatch):
    """Names of the files that were parsed and not taken from the cache."""
    parsed = []
    read_plain = rows._plain_blocks

    def spy(source, layout):
        parsed.append(source.path.name)
        return read_plain(source, layout)

    monkeypatch.setattr(rows, "_plain_blocks", spy)
    return parsed


def entries(folder):
    return sorted((folder / cache.FOLDER).iterdir())


def same(a, b):
    assert np.array_equal(a.train.images, b.train.images) and np.array_equal(a.test.images, b.test.images)
    assert np.array_equal(a.train.labels, b.train.labels) and np.array_equal(a.ids, b.ids)
    assert a.fingerprint == b.fingerprint and a.train.classes.tolist() == b.train.classes.tolist()
    return True


def test_second_start_parses_nothing(folder, parses):
    first = load(folder)
    assert sorted(parses) == ["test.csv", "train.csv"]
    second = load(folder)
    assert len(parses) == 2 and same(first, second)
    assert second.train.images.flags.writeable and second.train.images.flags.c_contiguous


def test_words_as_labels_and_ids_survive(folder):
    (folder / "train.csv").write_text(TRAIN.replace("\n0,", "\nÄ,"), encoding="utf-8")
    (folder / "test.csv").write_text("id,pixel0,pixel1,pixel2,pixel3\n007,1,2,3,4\nb,1,2,3,4\n")
    first = load(folder)
    assert same(first, load(folder))
    assert load(folder).id_column == "id" and load(folder).ids.tolist() == ["007", "b"]


def test_changed_file_is_noticed(folder, parses):
    load(folder)
    (folder / "train.csv").write_text(TRAIN.replace("0,1,2,3", "0,1,2,4"))
    assert load(folder).train.images[0].tolist() == [[0, 1], [2, 4]]
    assert parses.count("train.csv") == 2 and parses.count("test.csv") == 1


def test_column_options_have_entries_of_their_own(folder):
    (folder / "train.csv").write_text("label,kind,a,b,c,d\n" + "1,2,0,0,0,0\n2,3,9,9,9,9\n" * 2)
    (folder / "test.csv").write_text("id,a,b,c,d\n5,0,0,0,0\n")
    with pytest.raises(Exception, match="5 pixel columns"):
        load(folder)
    (folder / "train.csv").write_text("label,id,a,b,c,d\n" + "1,2,0,0,0,0\n2,3,9,9,9,9\n" * 2)
    assert load(folder).train.classes.tolist() == [1, 2]
    (folder / "test.csv").write_text("label,a,b,c,d\n5,0,0,0,0\n")
    assert load(folder, label_column="id", id_column="label").train.classes.tolist() == [2, 3]


@pytest.mark.parametrize("spoil", ["flip", "cut", "longer", "empty", "swap", "text"])
def test_damaged_entry_is_rebuilt(folder, parses, spoil):
    expected = load(folder)
    whole = {path: path.read_bytes() for path in entries(folder)}
    assert len(whole) == 2
    contents = list(whole.values())
    for number, (path, content) in enumerate(whole.items()):
        path.write_bytes(
            {
                "flip": content[:-2] + bytes([content[-2] ^ 1]) + content[-1:],
                "cut": content[:-1],
                "longer": content + b"\0",
                "empty": b"",
                "swap": contents[1 - number],
                "text": b"\xff not\nan entry\n",
            }[spoil]
        )
    assert same(expected, load(folder)) and len(parses) == 4
    assert {path: path.read_bytes() for path in entries(folder)} == whole


def test_every_flipped_byte_is_noticed(folder):
    load(folder)
    path = entries(folder)[0]
    content = path.read_bytes()
    for position in range(len(content)):
        spoilt = bytearray(content)
        spoilt[position] ^= 0x10
        path.write_bytes(spoilt)
        assert cache.load(path) is None, position
    path.write_bytes(content)
    assert cache.load(path) is not None


def test_folder_that_cannot_be_written_means_no_cache(folder, parses):
    (folder / cache.FOLDER).write_text("a file where the folder would be")
    assert same(load(folder), load(folder)) and len(parses) == 4


def test_cache_can_be_switched_off(folder):
    load(folder, cache=False)
    assert not (folder / cache.FOLDER).exists()


def test_old_entries_and_leftovers_are_removed(folder):
    leftover = folder / cache.FOLDER / ".abc.rows.0123.part"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    for value in range(3 * cache.KEPT_ENTRIES):
        (folder / "train.csv").write_text(TRAIN.replace("0,1,2,3", f"0,1,2,{value + 10}"))
        load(folder)
    assert len(entries(folder)) == cache.KEPT_ENTRIES and leftover not in entries(folder)


def test_file_replaced_while_it_is_read_is_not_kept(folder, monkeypatch):
    read_plain = rows._plain_blocks

    def replaced_meanwhile(source, layout):
        if source.path.name == "train.csv":
            source.path.write_text(TRAIN.replace("0,1,2,3", "9,9,9,99"))
        return read_plain(source, layout)

    monkeypatch.setattr(rows, "_plain_blocks", replaced_meanwhile)
    load(folder)
    monkeypatch.undo()
    (folder / "train.csv").write_text(TRAIN)
    assert load(folder).train.images[0].tolist() == [[0, 1], [2, 3]]


def test_many_runs_at_once(folder):
    expected = load(folder, cache=False)
    failures = []

    def run():
        try:
            for _ in range(5):
                same(load(folder), expected)
                for path in (folder / cache.FOLDER).glob("*.rows"):
                    path.write_bytes(b"damaged by somebody")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert not list((folder / cache.FOLDER).glob(".*.part"))


def test_warm_start_imports_no_pandas(folder):
    load(folder)
    program = (
        "import sys; from pipeline.dataset import load; load(sys.argv[1]);"
        "sys.exit(len({'pandas', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True)
