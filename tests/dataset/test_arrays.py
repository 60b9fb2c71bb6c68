"""IDX and npz: read when whole, refused with a sentence when not, without allocating what they claim."""

import gzip
import struct
import zipfile

import numpy as np
import pytest
from numpy.lib.format import write_array_header_1_0, write_array_header_2_0

from pipeline.dataset import load
from pipeline.errors import DataError

RNG = np.random.default_rng(5)
X_TRAIN = RNG.integers(0, 256, (6, 3, 3), dtype=np.uint8)
Y_TRAIN = np.array([4, 9, 4, 9, 4, 9], dtype=np.uint8)
X_TEST = RNG.integers(0, 256, (2, 3, 3), dtype=np.uint8)
Y_TEST = np.array([9, 4], dtype=np.uint8)
FOUR = {"x_train": X_TRAIN, "y_train": Y_TRAIN, "x_test": X_TEST, "y_test": Y_TEST}


def idx(array):
    return struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def write_idx(folder, separator="-", end=""):
    pack = gzip.compress if end else bytes
    for name, array in (
        (f"train-images{separator}idx3-ubyte", X_TRAIN),
        (f"train-labels{separator}idx1-ubyte", Y_TRAIN),
        (f"t10k-images{separator}idx3-ubyte", X_TEST),
        (f"t10k-labels{separator}idx1-ubyte", Y_TEST),
    ):
        (folder / (name + end)).write_bytes(pack(idx(array)))
    return folder


def check(competition):
    assert np.array_equal(competition.train.images, X_TRAIN) and np.array_equal(competition.test.images, X_TEST)
    assert competition.train.images.flags.c_contiguous and competition.train.images.flags.writeable
    assert competition.train.classes.tolist() == [4, 9]
    assert competition.train.labels.tolist() == [0, 1, 0, 1, 0, 1] and competition.test.labels.tolist() == [1, 0]
    assert competition.train.labels.dtype == competition.test.labels.dtype == np.int64
    assert competition.ids.tolist() == [1, 2]
    assert (competition.id_column, competition.label_column) == ("ImageId", "Label")


def message(path):
    with pytest.raises(DataError) as caught:
        load(path)
    assert str(caught.value).endswith(": download it again, or give Kaggle's train.csv and test.csv.")
    return str(caught.value)


@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx(tmp_path, separator, end):
    check(load(write_idx(tmp_path, separator, end)))
    check(load(tmp_path / f"train-images{separator}idx3-ubyte{end}"))


def test_idx_as_published_begins_with_its_magic_number():
    assert idx(X_TRAIN)[:16] == bytes([0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 3, 0, 0, 0, 3])


def test_idx_without_test_labels(tmp_path):
    (write_idx(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    assert load(tmp_path).test.labels is None


def test_idx_file_missing(tmp_path):
    (write_idx(tmp_path) / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="has no train-labels file, and IDX data need train-images, train-labels"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda good: good[:-1], "holds 53 bytes of data where its header says 54"),
        (lambda good: good + b"\0", "holds more bytes of data where its header says 54"),
        (lambda good: good[:10], "has 10 bytes where its header alone takes 16"),
        (lambda good: b"", "has 0 bytes where its header alone takes 16"),
        (lambda good: b"\0\0\x0d\x03" + good[4:], "begins with 0x00000d03 where 0x00000803 marks an IDX file"),
        (lambda good: good[:4] + b"\x7f\xff\xff\xff" * 3, "bytes of data where 4,294,967,296 are allowed"),
        (lambda good: good[:4] + struct.pack(">3I", 60_000, 200, 300), "holds 0 bytes of data where its header"),
    ],
    ids=["short", "long", "header", "empty", "magic", "huge", "large"],
)
@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx_damaged(tmp_path, spoil, problem, end):
    write_idx(tmp_path, end=end)
    path = tmp_path / f"train-images-idx3-ubyte{end}"
    path.write_bytes((gzip.compress if end else bytes)(spoil(idx(X_TRAIN))))
    assert problem in message(tmp_path)


@pytest.mark.parametrize("content", [gzip.compress(idx(X_TRAIN), mtime=0)[:-9], b"not gzip", b""])
def test_gzip_damaged(tmp_path, content):
    write_idx(tmp_path, end=".gz")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz (is damaged|could not be read|has 0 bytes)"):
        load(tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    save(tmp_path / "mnist.npz", **FOUR)
    check(load(tmp_path / "mnist.npz"))
    check(load(tmp_path))


def test_the_container_does_not_change_the_fingerprint(tmp_path):
    np.savez(tmp_path / "mnist.npz", **FOUR)
    as_npz = load(tmp_path / "mnist.npz").fingerprint
    names = ",".join(f"p{i}" for i in range(9))
    rows = "\n".join(f"{y},{','.join(map(str, x.ravel()))}" for x, y in zip(X_TRAIN, Y_TRAIN, strict=True))
    (tmp_path / "train.csv").write_text(f"label,{names}\n{rows}\n")
    (tmp_path / "test.csv").write_text("\n".join([names, *(",".join(map(str, x.ravel())) for x in X_TEST)]))
    assert load(tmp_path).fingerprint == as_npz


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"x_train": None}, "has no array 'x_train' where x_train, y_train and x_test are needed"),
        ({"x_train": X_TRAIN / 255}, "holds x_train as float64 of shape (6, 3, 3) where uint8 of shape (rows, side"),
        ({"x_train": X_TRAIN.reshape(6, 9)}, "holds x_train as uint8 of shape (6, 9) where"),
        ({"x_test": X_TEST.astype(np.uint16)}, "holds x_test as uint16 of shape"),
        ({"y_train": Y_TRAIN.astype(float)}, "holds y_train as float64 of shape (6,) where whole numbers"),
        ({"y_train": Y_TRAIN[:5]}, "has 6 train pictures but 5 train labels"),
        ({"x_test": X_TEST[:0], "y_test": Y_TEST[:0]}, "has no test pictures where at least one is needed"),
        ({"x_test": X_TEST[:, :2, :2]}, "has test pictures of another size than its train pictures"),
        ({"x_train": X_TRAIN[:, :2], "x_test": X_TEST[:, :2]}, "has pictures of 2×3 pixels where squares are needed"),
        ({"y_test": np.array([4, 5])}, "has test label 5, which no train row has"),
        (
            {"y_train": np.array([4, None] * 3, dtype=object)},
            "holds y_train as object of shape (6,) where whole numbers of shape (rows)",
        ),
    ],
)
def test_npz_with_other_arrays(tmp_path, changed, problem):
    arrays = {name: array for name, array in {**FOUR, **changed}.items() if array is not None}
    np.savez(tmp_path / "mnist.npz", **arrays)
    assert problem in message(tmp_path / "mnist.npz")


def test_npz_one_class(tmp_path):
    np.savez(tmp_path / "mnist.npz", **{**FOUR, "y_train": Y_TRAIN * 0})
    with pytest.raises(DataError, match=r"mnist\.npz holds 1 class \(every label is 0\) where 2 to 1,000 classes"):
        load(tmp_path)


@pytest.mark.parametrize("write_header", [write_array_header_1_0, write_array_header_2_0])
def test_npz_that_claims_more_than_there_is(tmp_path, write_header):
    path = tmp_path / "mnist.npz"
    np.savez(path, **{name: array for name, array in FOUR.items() if name != "x_train"})
    with zipfile.ZipFile(path, "a") as archive, archive.open("x_train.npy", "w") as member:
        write_header(member, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 28, 28)})
        member.write(b"few")
    assert "holds x_train, which claims 784,000,000,000 bytes where 3 can be" in message(path)


def test_npz_cut(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez(path, **FOUR)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"mnist\.npz is damaged \(File is not a zip file\)"):
        load(path)


def test_two_archives(tmp_path):
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, **FOUR)
    with pytest.raises(DataError, match="holds 2 npz archives where one is expected: name the one to read"):
        load(tmp_path)


def npz_with(path, name, header, *, version=b"\1\0", twice=False):
    """An archive whose array `name` has this header text."""
    with zipfile.ZipFile(path, "w") as archive:
        for key, array in FOUR.items():
            body = array.tobytes()
            text = header if key == name else f"{{'descr': '|u1', 'fortran_order': False, 'shape': {array.shape}}}\n"
            size = len(text).to_bytes(2 if version == b"\1\0" or key != name else 4, "little")
            archive.writestr(
                f"{key}.npy", b"\x93NUMPY" + (version if key == name else b"\1\0") + size + text.encode() + body
            )
        if twice:
            archive.writestr(name, b"")
    return path


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (6, 3, 3", "does not begin as a plain array"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (True, 3, 3)}", "of shape (True, 3, 3) where uint8"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-6, 3, -3)}", "of shape (-6, 3, -3) where uint8"),
        ("{'descr': '|zz', 'fortran_order': False, 'shape': (6, 3, 3)}", "does not begin as a plain array"),
        ("{'descr': '|u1', 'fortran_order': 1, 'shape': (6, 3, 3)}", "does not begin as a plain array"),
        ("x" * 5000, "does not begin as a plain array"),
        ("(" * 4000, "does not begin as a plain array"),
        ("", "does not begin as a plain array"),
    ],
)
def test_npy_headers(tmp_path, header, found):
    said = message(npz_with(tmp_path / "mnist.npz", "x_train", header))
    assert found in said and len(said) < 400
    assert "does not begin" in message(npz_with(tmp_path / "mnist.npz", "x_train", header, version=b"\3\0"))


def test_two_members_of_one_name(tmp_path):
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (6,)}\n"
    path = npz_with(tmp_path / "mnist.npz", "y_train", header)
    check(load(path))
    assert "mnist.npz holds y_train twice" in message(npz_with(path, "y_train", header, twice=True))


@pytest.mark.parametrize("name", ["y_train", "y_test"])
def test_labels_beyond_64_bits(tmp_path, name):
    labels = FOUR[name].astype(np.uint64)
    labels[:2] = 2**64 - 1
    np.savez(tmp_path / "mnist.npz", **{**FOUR, name: labels})
    assert "label 18446744073709551615 where 9223372036854775807 is the largest" in message(tmp_path / "mnist.npz")


def test_a_flipped_bit_in_an_npz_is_damage(tmp_path):
    path = npz_with(tmp_path / "mnist.npz", "y_train", "{'descr': '|u1', 'fortran_order': False, 'shape': (6,)}\n")
    path.write_bytes(path.read_bytes().replace(b"'shape': (6,)", b"'shape': (7,)"))
    with pytest.raises(DataError, match=r"mnist\.npz is damaged \(Bad CRC-32 for file 'y_train.npy'\)"):
        load(path)
