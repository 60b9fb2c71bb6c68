"""From picture files to answers: which networks answer, what they say, which files are found."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_digits import png

from pipeline.errors import DataError, ModelFileError, UsageError
from pipeline.prediction import model_file as model
from pipeline.prediction import reader as prediction
from pipeline.prediction.picture import BLANK, NOT_SURE, SEVERAL, SURE
from pipeline.prediction.reader import Reader, find_pictures, label_in_name, load_reader, names_or_picture, read_picture


def test_the_networks_of_the_newest_run_answer_together(run, trained, pictures):
    reader = load_reader(None, Path("runs"))
    (answer,) = read_picture(reader, str(pictures / "7_c.png"))
    seen = answer.prepared.image[None]
    mean = (trained[0].network.probabilities(seen) + trained[1].network.probabilities(seen))[0] / 2
    np.testing.assert_allclose(answer.probabilities, mean, atol=1e-6)
    row = answer.row()
    assert tuple(row) == prediction.FIELDS
    assert (row["label"], row["verdict"], row["warnings"]) == (7, SURE, [])
    assert row["probability"] == pytest.approx(mean[2], abs=1e-6)
    assert row["runner_up"] == [0, 1][int(mean[1] > mean[0])]
    assert row["runner_up_probability"] == pytest.approx(sorted(mean)[1], abs=1e-6)


def test_a_file_or_a_run_can_be_named(run, trained):
    file = run / "models" / "final" / "all-rows-repeat-2.safetensors"
    (only,) = load_reader(str(file), Path("runs")).models
    np.testing.assert_array_equal(only.network.params, trained[1].network.params)
    by_id, by_path = load_reader(run.name, Path("runs")), load_reader(str(run), Path("elsewhere"))
    assert len(by_id.models) == len(by_path.models) == 2


def test_without_networks_it_says_what_to_do(tmp_path, run):
    with pytest.raises(UsageError, match="train one with"):
        load_reader(None, tmp_path / "none")
    with pytest.raises(UsageError, match="nosuch does not exist"):
        load_reader("nosuch", Path("runs"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFileError, match="holds no model files"):
        load_reader("empty", Path("runs"))


def test_networks_of_different_classes_do_not_answer_together(run, trained):
    odd = replace(trained[0], classes=np.array([3, 4, 5]))
    model.save(odd, run / "models" / "final" / "all-rows-repeat-3.safetensors")
    with pytest.raises(UsageError, match="do not take the same pictures and classes"):
        load_reader(None, Path("runs"))


@pytest.mark.parametrize(("threshold", "verdict"), [(0.0, SURE), (0.999, NOT_SURE)])
def test_the_threshold_can_be_given(run, pictures, threshold, verdict):
    reader = load_reader(None, Path("runs"), threshold=threshold)
    assert load_reader(None, Path("runs")).threshold == 0.75
    assert read_picture(reader, str(pictures / "0_a.png"))[0].verdict == verdict


def test_a_row_of_digits(run):
    reader = load_reader(None, Path("runs"))
    (whole,) = read_picture(reader, "-", content=png(1, 7, 0, 7))
    assert whole.verdict == SEVERAL
    each = read_picture(reader, "-", content=png(1, 7, 0, 7), split=True)
    assert [answer.row()["label"] for answer in each] == [1, 7, 0, 7]
    assert [answer.verdict for answer in each] == [SURE] * 4


@pytest.mark.parametrize("split", [False, True])
def test_a_blank_picture_has_one_answer(run, split):
    (answer,) = read_picture(load_reader(None, Path("runs")), "-", content=png(), split=split)
    assert answer.verdict == BLANK
    assert answer.row()["warnings"] == [BLANK]


def test_saliency_is_of_the_networks_together(run, pictures):
    reader = load_reader(None, Path("runs"))
    (answer,) = read_picture(reader, str(pictures / "1_b.png"))
    alone = [Reader((each,), "", reader.style, 0.5).saliency(answer) for each in reader.models]
    together = reader.saliency(answer)
    np.testing.assert_allclose(together, (alone[0] + alone[1]) / 2)
    assert (together[answer.prepared.image == 0] == 0).all()
    assert together.sum() > 0  # all in all the ink spoke for the answer


def test_a_tie_names_two_classes(run, pictures):
    (answer,) = read_picture(load_reader(None, Path("runs")), str(pictures / "1_b.png"))
    for shares, order in (([0.5, 0.5, 0.0], (0, 1)), ([0.0, 0.5, 0.5], (1, 2)), ([0.2, 0.3, 0.5], (2, 1))):
        tie = replace(answer, probabilities=np.array(shares))
        assert (tie.first, tie.second) == order


def test_files_folders_and_patterns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/2.png", "a/b/1.JPG", "a/notes.txt", "[1].png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")
    found = list(find_pictures(["a", "a/*.txt", "**/*.png", "[1].png", "missing.png"]))
    assert found[:2] == [str(Path("a/2.png")), str(Path("a/b/1.JPG"))]
    assert found[2:] == [str(Path("a/notes.txt")), "[1].png", str(Path("a/2.png")), "[1].png", "missing.png"]
    Path("void").mkdir()
    for name, said in (("void", "void holds no pictures"), ("*.gif", "No file fits the pattern *.gif")):
        (fault,) = find_pictures([name])
        assert isinstance(fault, DataError)
        assert str(fault).startswith(said)


def test_standard_input_is_a_picture_or_names():
    assert names_or_picture(png(1)) == png(1)
    assert names_or_picture(b"a.png\r\n\n b c.png\n") == ["a.png", " b c.png"]
    assert names_or_picture(b"a.png\0b\xff.png\0") == ["a.png", os.fsdecode(b"b\xff.png")]
    assert names_or_picture(b"BMW.bmp") == ["BMW.bmp"]  # BMP files begin with BM as well
    for content in (b"", b"\n\n", b"\x01\x02\x03", png(1)[:3] + b"\x05\0\0"):
        with pytest.raises(DataError, match="Standard input holds neither"):
            names_or_picture(content)


def test_labels_in_names():
    assert label_in_name("some/7_x.png", [0, 1, 7], folder=False) == 2
    assert label_in_name("some/1/x.png", [0, 1, 7], folder=True) == 1
    assert label_in_name("cat/x.png", ["cat", "dog"], folder=True) == 0
    with pytest.raises(DataError, match=r"5\.png begins with '5', which is none of the classes 0, 1, 7"):
        label_in_name("5.png", [0, 1, 7], folder=False)
    with pytest.raises(DataError, match="lies in the folder 'some'"):
        label_in_name("some/5.png", [0, 1, 7], folder=True)
