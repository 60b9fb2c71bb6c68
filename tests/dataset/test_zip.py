"""Kaggle's zip: read without unpacking, and refused where it is damaged or hostile."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from tiny_competition import TEST, TRAIN

from pipeline.dataset import load, source
from pipeline.errors import DataError

REAL_ZIP = Path(__file__).parents[3] / "shared" / "data" / "digit-recognizer.zip"


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def message(path):
    with pytest.raises(DataError) as caught:
        load(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # nothing was written
    return str(caught.value).replace(f"{path.parent}/", "")


def test_zip_reads_like_its_files(folder, tmp_path_factory):
    there = tmp_path_factory.mktemp("zip")
    path = make_zip(there / "fashion.zip", {"train.csv": TRAIN, "test.csv": TEST, "readme.txt": "hello"})
    for _ in range(2):  # the second time from the cache
        competition = load(path)
        assert competition.fingerprint == load(folder).fingerprint
        assert competition.name == "fashion (unnamed)" and competition.source == path
    assert sorted(file.name for file in there.iterdir()) == [".inkproof-cache", "fashion.zip"]


def test_kaggles_zip_is_found_in_a_folder_and_in_data(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    make_zip(tmp_path / "data" / "digit-recognizer.zip", {"d/train.csv": TRAIN, "d/test.csv": TEST})
    assert load(tmp_path / "data").train.n == 4
    monkeypatch.chdir(tmp_path)
    assert load().train.n == 4


def test_bad_cell_names_the_member(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"train.csv": TRAIN.replace("30", "x"), "test.csv": TEST})
    with pytest.raises(DataError, match=r"train\.csv in .*a\.zip, row 2 \(line 3\), column 'pixel2' must be a pixel"):
        load(path)


def test_lacks_a_member(tmp_path):
    assert message(make_zip(tmp_path / "a.zip", {"train.csv": TRAIN})) == (
        "a.zip has no test.csv, and both train.csv and test.csv are needed: put Kaggle's files there, or name "
        "another place with --data."
    )


@pytest.mark.parametrize("keep", [0, 1, 40, -1, -30])
def test_truncated(tmp_path, keep):
    path = make_zip(tmp_path / "a.zip", {"train.csv": TRAIN, "test.csv": TEST})
    path.write_bytes(path.read_bytes()[:keep])
    assert message(path) == (
        "a.zip is damaged (File is not a zip file), as a download that broke off leaves it: remove it and "
        "download it again."
    )


def test_damaged_in_the_middle(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:  # stored, so that a flipped digit is still a digit
        archive.writestr("train.csv", TRAIN)
        archive.writestr("test.csv", TEST)
    path.write_bytes(path.read_bytes().replace(b"255,254", b"255,251"))
    assert "a.zip is damaged (Bad CRC-32 for file 'train.csv')" in message(path)


@pytest.mark.parametrize(
    "name", ["/etc/train.csv", "../train.csv", "a/../../b", "..\\test.csv", "C:\\train.csv", "\\\\host\\x"]
)
def test_paths_that_point_outside(tmp_path, name):
    path = make_zip(tmp_path / "a.zip", {"train.csv": TRAIN, "test.csv": TEST, name: "x"})
    assert message(path) == (
        f"a.zip holds a member that points outside the folder it would be unpacked to ({name!r}), which Kaggle's "
        "own zip never does: download it again from Kaggle."
    )


@pytest.mark.parametrize("name", [".", "./", ""])
def test_members_without_a_name(tmp_path, name):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo()
        info.filename = name
        archive.writestr(info, b"")
        archive.writestr("train.csv", TRAIN)
        archive.writestr("test.csv", TEST)
    if name == "./":
        assert load(path, cache=False).train.n == 4
    else:
        assert f"a.zip holds a member that has no name ({name!r}), which Kaggle's" in message(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("member", ["train.csv", "test.csv", "sample_submission.csv"])
def test_every_flipped_bit_is_damage_and_not_a_row_to_correct(tmp_path, method, member):
    contents = {"train.csv": TRAIN, "test.csv": TEST, "sample_submission.csv": "ImageId,Label\n1,0\n2,0\n3,0\n"}
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        info = archive.getinfo(member)
    whole = path.read_bytes()
    start = info.header_offset + 30 + len(member)
    for place in range(start, start + info.compress_size, 4):
        spoilt = bytearray(whole)
        spoilt[place] ^= 1 << place % 7
        path.write_bytes(spoilt)
        said = message(path) if _is_damaged(path, member) else "a.zip is damaged"
        assert said.startswith(("a.zip is damaged", "a.zip could not be read")), (place, said)


def _is_damaged(path, member):
    """A bit that the packed data do without, such as padding, is no damage."""
    try:
        with zipfile.ZipFile(path) as archive:
            archive.read(member)
    except Exception:
        return True
    return False


def test_encrypted(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"train.csv": TRAIN, "test.csv": TEST})
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")  # central directory, flags at offset 8
    content[entry + 8] |= 1
    path.write_bytes(content)
    assert "a.zip holds a member that is encrypted ('train.csv')" in message(path)


def test_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "MAX_MEMBER_BYTES", 1000)
    path = make_zip(tmp_path / "a.zip", {"train.csv": b"0" * 1001, "test.csv": TEST})
    assert "member that claims 1,001 bytes where 1,000 are allowed ('train.csv')" in message(path)


def test_same_name_twice(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a/train.csv": TRAIN, "b/train.csv": TRAIN, "test.csv": TEST})
    assert "has the same name as another member ('b/train.csv')" in message(path)


@pytest.mark.skipif(not REAL_ZIP.exists(), reason="Kaggle's zip is not here")
def test_kaggles_own_zip():
    pd = pytest.importorskip("pandas")
    competition = load(REAL_ZIP, cache=False)
    assert competition.train.images.shape == (42_000, 28, 28)
    assert competition.test.images.shape == (28_000, 28, 28)
    assert competition.name == "digit-recognizer"
    assert (competition.id_column, competition.label_column) == ("ImageId", "Label")
    assert np.array_equal(competition.ids, np.arange(1, 28_001))
    with zipfile.ZipFile(REAL_ZIP) as archive, archive.open("train.csv") as file:
        labels = pd.read_csv(file, usecols=["label"])["label"]
    with zipfile.ZipFile(REAL_ZIP) as archive, archive.open("test.csv") as file:
        first = pd.read_csv(file, nrows=500).to_numpy()
    assert np.array_equal(competition.train.classes[competition.train.labels], labels)
    assert np.array_equal(competition.test.images[:500].reshape(500, -1), first)
