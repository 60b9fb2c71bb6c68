from __future__ import annotations

import json
import pickle
import struct
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as to_bytes

from pipeline.errors import ModelFileError
from pipeline.nn.layers import Dense, Flatten, ReLU
from pipeline.nn.network import Network
from pipeline.prediction import model_file as model

SIDE, CLASSES = 3, 4


def make(*, classes=("a", "b", "c", "d"), seed=0, about=None) -> model.Model:
    layers = [Flatten(), Dense(5), ReLU(), Dense(CLASSES)]
    network = Network(layers, (SIDE, SIDE), rng=np.random.default_rng(seed))
    return model.Model(network, np.array(classes), SIDE, about or {"sigma": 0.1})


PICTURES = np.random.default_rng(1).integers(0, 256, (20, SIDE, SIDE), dtype=np.uint8)


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "good.safetensors"
    model.save(make(), path)
    return path.read_bytes()


def parts(content: bytes) -> tuple[dict, bytes]:
    """The safetensors header as a dictionary, and the bytes of the arrays."""
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def assembled(header: dict | bytes, arrays: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + arrays


def forged(tmp_path, change, arrays=None):
    """A file whose header went through `change`, or whose arrays are others, with a checksum that fits."""
    header = {
        "format": 1,
        "layers": [layer.spec() for layer in make().network.layers],
        "dtype": "float32",
        "side": SIDE,
        "classes": ["a", "b", "c", "d"],
        "about": {},
    }
    text = change(header)
    arrays = model.named_arrays(make().network) if arrays is None else arrays
    text = json.dumps({**header, "sha256": model.checksum(header, arrays)}) if text is None else text
    path = tmp_path / "forged.safetensors"
    path.write_bytes(to_bytes(arrays, metadata={"inkproof": text}))
    return path


def refusal(path) -> str:
    with pytest.raises(ModelFileError) as caught:
        model.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert len(message) < 500
    return message


@pytest.mark.parametrize("classes", [("a", "b", "c", "d"), ("0", "1", "ü", "二"), (0, 1, 2, 9), (-1, 5, 7, 2**62)])
def test_what_is_saved_comes_back(tmp_path, classes):
    saved = make(classes=classes, about={"recipe": {"name": "x"}, "sigma": 0.25, "key": [1, 2]})
    model.save(saved, tmp_path / "m.safetensors")
    loaded = model.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.network.probabilities(PICTURES), saved.network.probabilities(PICTURES))
    assert loaded.classes.tolist() == list(classes)
    assert (loaded.side, loaded.about) == (SIDE, saved.about)


def test_the_same_model_gives_the_same_bytes(tmp_path, good):
    for number in range(10):
        model.save(make(), tmp_path / f"{number}.safetensors")
        assert (tmp_path / f"{number}.safetensors").read_bytes() == good


def test_several_threads_may_ask_one_model():
    one, found = make(), {}
    many = np.random.default_rng(2).integers(0, 256, (4, 3000, SIDE, SIDE), dtype=np.uint8)
    expected = [one.network.probabilities(pictures) for pictures in many]

    def ask(number: int) -> None:
        found[number] = [one.network.probabilities(many[number]) for _ in range(5)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, answers in found.items():
        for answer in answers:
            np.testing.assert_array_equal(answer, expected[number])
    assert len(found) == 4


def test_a_file_cut_off_anywhere_is_refused(tmp_path, good):
    path = tmp_path / "cut.safetensors"
    size = struct.unpack("<Q", good[:8])[0]
    for length in [0, 1, 7, 8, 9, 8 + size // 2, 7 + size, 8 + size, 9 + size, len(good) - 4, len(good) - 1]:
        path.write_bytes(good[:length])
        assert "is not a whole safetensors file" in refusal(path)
    path.write_bytes(good + b"x")
    assert "is not a whole safetensors file" in refusal(path)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_flipped_bits_give_a_refusal_or_the_identical_model(tmp_path_factory, good, data):
    content = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(good) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    path.write_bytes(bytes(content))
    try:
        loaded = model.load(path)
    except ModelFileError:
        return
    assert bytes(loaded.network.params) == bytes(make().network.params)
    assert loaded.classes.tolist() == ["a", "b", "c", "d"]
    assert (loaded.side, dict(loaded.about)) == (SIDE, {"sigma": 0.1})
    assert [layer.spec() for layer in loaded.network.layers] == [layer.spec() for layer in make().network.layers]


@pytest.mark.parametrize("what", ["weights", "classes", "sigma"])
def test_altered_content_does_not_match_its_checksum(tmp_path, good, what):
    content = bytearray(good)
    if what == "weights":
        content[-1] ^= 1
    else:
        old, new = {"classes": (rb"[\"a\"", rb"[\"x\""), "sigma": (b"0.1}", b"0.2}")}[what]
        assert content.count(old) == 1
        content = content.replace(old, new)
    (tmp_path / "altered").write_bytes(bytes(content))
    assert "does not match its checksum" in refusal(tmp_path / "altered")


def test_files_that_cannot_be_read_are_refused(tmp_path, monkeypatch):
    assert "No such file" in refusal(tmp_path / "missing")
    assert "is not a file" in refusal(tmp_path)
    with pytest.raises(ModelFileError):
        model.load("a\0b")
    monkeypatch.setattr(model, "LARGEST_FILE", 10)
    (tmp_path / "large").write_bytes(bytes(11))
    assert "at most 10" in refusal(tmp_path / "large")


def test_nothing_in_a_file_is_executed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("code from a model file was run",))

    for content in (pickle.dumps(Bomb()), b"PK\x03\x04" + bytes(100), b"", b"\x80\x04."):
        (tmp_path / "bomb").write_bytes(content)
        assert "is not a whole safetensors file" in refusal(tmp_path / "bomb")


@pytest.mark.parametrize(
    "header",
    [
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        assembled(b'{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}', bytes(4)),
        assembled(b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,99999999999]}}', bytes(4)),
        assembled(b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', bytes(4)),
        assembled(b'{"w":{"dtype":"F77","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
        assembled(b'{"w":{"dtype":"F32","shape":[1e99],"data_offsets":[0,4]}}', bytes(4)),
        assembled(b'{"a":' * 5000 + b"1" + b"}" * 5000, b""),
    ],
    ids=["2^63 bytes", "2^40 bytes", "a list", "2^64 numbers", "beyond the end", "backwards", "F77", "1e99", "deep"],
)
def test_a_safetensors_header_that_declares_nonsense_is_refused(tmp_path, header):
    (tmp_path / "nonsense").write_bytes(header)
    assert "is not a whole safetensors file" in refusal(tmp_path / "nonsense")


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3"])
def test_arrays_of_a_type_that_numpy_does_not_know_are_refused(tmp_path, good, dtype):
    header, arrays = parts(good)
    size = {"BF16": 2, "F8_E4M3": 1}[dtype]
    for entry in header.values():
        if "dtype" in entry:
            begin, end = entry["data_offsets"]
            entry["dtype"], entry["shape"] = dtype, [(end - begin) // size]
    (tmp_path / "typed").write_bytes(assembled(header, arrays))
    assert "is not a whole safetensors file" in refusal(tmp_path / "typed")


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64, np.bool_])
def test_arrays_of_another_type_are_refused_though_their_checksum_fits(tmp_path, dtype):
    arrays = {name: array.astype(dtype) for name, array in model.named_arrays(make().network).items()}
    message = refusal(forged(tmp_path, lambda header: None, arrays))
    assert "its arrays are not those of the network that its header describes" in message


def test_a_safetensors_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "other").write_bytes(to_bytes({"w": np.zeros(3, np.float32)}, metadata={"format": "pt"}))
    assert "lacks the header of an Inkproof model" in refusal(tmp_path / "other")
    (tmp_path / "bare").write_bytes(to_bytes({"w": np.zeros(3, np.float32)}))
    assert "lacks the header of an Inkproof model" in refusal(tmp_path / "bare")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "{",
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        '{"a":' * 50_000,
        '{"format": NaN}',
        '{"format": 1e999}',
        '{"side": ' + "9" * 5000 + "}",
    ],
)
def test_a_header_that_is_no_table_is_refused(tmp_path, text):
    assert "lacks the header of an Inkproof model" in refusal(forged(tmp_path, lambda header: text))


DENSE = {"layer": "Dense", "units": 4}
WRONG_HEADERS = {
    "older format": ({"format": 0}, "is of format 0, this version of Inkproof reads format 1"),
    "newer format": ({"format": 2}, "is of format 2"),
    "format as text": ({"format": "1"}, "is of format '1'"),
    "format as truth": ({"format": True}, "is of format True"),
    "format of any length": ({"format": "x" * 10_000}, "is of format"),
    "no classes": ({"classes": None}, "2 to 1,000 different classes"),
    "one class": ({"classes": ["a"]}, "2 to 1,000 different classes"),
    "many classes": ({"classes": list(range(1001))}, "2 to 1,000 different classes"),
    "a class twice": ({"classes": [1, 2, 1, 3]}, "2 to 1,000 different classes"),
    "mixed classes": ({"classes": [1, "2", 3, 4]}, "all numbers or all texts"),
    "truths as classes": ({"classes": [True, False]}, "all numbers or all texts"),
    "a class beyond int64": ({"classes": [1, 2, 3, 2**63]}, "too large a number"),
    "a class far beyond": ({"classes": [1, 2, 3, -(10**30)]}, "too large a number"),
    "fewer classes than outputs": ({"classes": ["a", "b"]}, "layers end in an output of shape"),
    "side 0": ({"side": 0}, "1 to 4,096 pixels, found 0"),
    "huge side": ({"side": 10**100}, "1 to 4,096 pixels"),
    "side as float": ({"side": 3.0}, "1 to 4,096 pixels"),
    "another side": ({"side": 4}, "cannot be built|not those of the network"),
    "about missing": ({"about": None}, "where the model comes from"),
    "layers missing": ({"layers": None}, "must list at most 1,000 layers"),
    "no layers": ({"layers": []}, "cannot be built"),
    "100,000 layers": ({"layers": [{"layer": "ReLU"}] * 100_000}, "must list at most 1,000 layers"),
    "unknown layer": ({"layers": [{"layer": "os.system"}]}, "cannot be built"),
    "layer as text": ({"layers": ["Dense"]}, "cannot be built"),
    "layer's name as list": ({"layers": [{"layer": ["Dense"]}]}, "cannot be built"),
    "unknown argument": ({"layers": [{**DENSE, "command": "rm"}]}, "cannot be built"),
    "units as text": ({"layers": [{**DENSE, "units": "many"}]}, "cannot be built"),
    "units as list": ({"layers": [{**DENSE, "units": [4]}]}, "cannot be built"),
    "huge units": ({"layers": [{"layer": "Flatten"}, {**DENSE, "units": 10**15}, DENSE]}, "at most 74 are allowed"),
    "immense units": ({"layers": [{"layer": "Flatten"}, {**DENSE, "units": 10**100}, DENSE]}, "at most 74 are allowed"),
    "one weight fewer": ({"layers": [{"layer": "Flatten"}, DENSE]}, "arrays are not those of the network"),
    "float64": ({"dtype": "float64"}, "arrays are not those of the network"),
    "object": ({"dtype": "object"}, "cannot be built"),
    "dtype as list": ({"dtype": [["a", "f4"]]}, "a dtype"),
    "dtype missing": ({"dtype": None}, "a dtype"),
}


@pytest.mark.parametrize(("change", "message"), WRONG_HEADERS.values(), ids=WRONG_HEADERS.keys())
def test_a_header_that_cannot_be_is_refused(tmp_path, change, message):
    path = forged(tmp_path, lambda header: header.update(change))
    with pytest.raises(ModelFileError, match=message):
        model.load(path)
    refusal(path)


def test_the_forger_forges_well(tmp_path):
    loaded = model.load(forged(tmp_path, lambda header: None))
    np.testing.assert_array_equal(loaded.network.params, make().network.params)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_numbers_are_refused(tmp_path, value):
    arrays = {name: array.copy() for name, array in model.named_arrays(make().network).items()}
    arrays["3.Dense.bias"][2] = value
    assert "3.Dense.bias holds values that are not finite" in refusal(forged(tmp_path, lambda header: None, arrays))


@pytest.mark.parametrize("what", ["missing", "unknown", "transposed", "renamed", "float64"])
def test_arrays_that_are_not_the_networks_are_refused(tmp_path, what):
    arrays = dict(model.named_arrays(make().network))
    weight = arrays.pop("1.Dense.weight")
    arrays.update(
        {
            "missing": {"more": np.zeros(45, np.float32)},
            "unknown": {"1.Dense.weight": weight, "4.Dense.weight": weight},
            "transposed": {"1.Dense.weight": np.ascontiguousarray(weight.T)},
            "renamed": {"1.Dense.weights": weight},
            "float64": {"1.Dense.weight": weight.astype(np.float64)},
        }[what]
    )
    assert "its arrays are not those of the network" in refusal(forged(tmp_path, lambda header: None, arrays))


def test_a_refusal_is_short_however_long_the_damage(tmp_path):
    head = b'{"a": {"dtype": "' + b"x" * 100_000 + b'", "shape": [], "data_offsets": [0, 0]}}'
    (tmp_path / "long.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)
    with pytest.raises(ModelFileError, match="is not a whole safetensors file") as caught:
        model.load(tmp_path / "long.safetensors")
    assert len(str(caught.value)) < 500 + len(str(tmp_path))
