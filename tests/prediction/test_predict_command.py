"""`python main.py predict` as a user types it: every form of output, bad files, exit codes."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawn_digits import draw, png
from PIL import Image

from pipeline.cli import group
from pipeline.errors import UsageError
from pipeline.prediction import model_file as model
from pipeline.prediction.model_file import Model

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def predict(run):
    """Runs the command in the folder with the run; gives the outcome."""

    def call(*words, given=b""):
        done = CliRunner().invoke(group, ["predict", *map(str, words)], input=given)
        assert done.exception is None or isinstance(done.exception, (SystemExit, UsageError)), done.exception
        return done

    return call


def test_the_table(predict, pictures):
    done = predict(pictures)
    assert (done.exit_code, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines() if ".png" in line]
    assert [Path(words[0]).name for words in lines] == ["0_a.png", "1_b.png", "7_c.png"]
    assert [words[1] for words in lines] == ["0", "1", "7"]
    assert [words[-1] for words in lines] == ["sure"] * 3
    assert "Sure from 75.0 % on. Read by runs/20260101-000000-drawn-0000/models/final/all-rows-repeat-1" in done.stdout
    assert "and 1 more, probabilities averaged" in done.stdout


def test_json_has_exactly_these_fields(predict, pictures):
    done = predict("--json", pictures / "7_c.png", pictures / "1_b.png")
    rows = json.loads(done.stdout)
    assert [list(row) for row in rows] == [
        ["path", "label", "probability", "runner_up", "runner_up_probability", "verdict", "warnings"]
    ] * 2
    assert [(row["path"], row["label"], row["verdict"]) for row in rows] == [
        (str(pictures / "7_c.png"), 7, "sure"),
        (str(pictures / "1_b.png"), 1, "sure"),
    ]
    assert all(1 > row["probability"] > row["runner_up_probability"] > 0 for row in rows)


def test_csv_says_the_same_as_json(predict, pictures):
    Image.new("L", (50, 50), 255).save(pictures / "blank.png")
    rows = json.loads(predict("--json", pictures).stdout)
    lines = list(csv.DictReader(io.StringIO(predict("--csv", pictures).stdout)))
    assert len(lines) == 4
    for row, line in zip(rows, lines, strict=True):
        assert {**row, "warnings": "; ".join(row["warnings"])} == {
            **line,
            "label": int(line["label"]),
            "probability": float(line["probability"]),
            "runner_up": int(line["runner_up"]),
            "runner_up_probability": float(line["runner_up_probability"]),
        }


def test_blank_pictures_and_rows_get_no_answer_in_the_table(predict):
    draw().save("blank.png")
    draw(1, 7).save("row.png")
    out = predict("blank.png", "row.png").stdout
    assert [line.split() for line in out.splitlines() if ".png" in line] == [
        ["blank.png", "blank"],
        ["row.png", "several", "digits"],
    ]
    assert "With --split" in out
    rows = json.loads(predict("--json", "--split", "row.png").stdout)
    assert [(row["path"], row["label"]) for row in rows] == [("row.png", 1), ("row.png", 7)]


def test_bad_files_are_told_and_do_not_stop_the_others(predict, pictures):
    (pictures / "broken.png").write_bytes(png(1)[:60])
    (pictures / "empty.png").write_bytes(b"")
    done = predict("--json", pictures, "nosuch.png", "*.gif")
    assert done.exit_code == 1
    assert [row["label"] for row in json.loads(done.stdout)] == [0, 1, 7]
    told = done.stderr.splitlines()
    assert len(told) == 4
    assert all(line.startswith("Error: ") for line in told)
    for part, line in zip(("is damaged", "is empty", "could not be read", "No file fits"), told, strict=True):
        assert part in line


def test_nothing_but_bad_files(predict):
    done = predict("nosuch.png")
    assert (done.exit_code, done.stdout) == (1, "")
    done = predict("nosuch.png", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (1, [])


def test_a_picture_named_twice_is_read_once(predict, pictures):
    done = predict("--json", pictures / "7_c.png", pictures, pictures / "*.png")
    assert [row["label"] for row in json.loads(done.stdout)] == [7, 0, 1]


def test_standard_input(predict, pictures):
    (row,) = json.loads(predict("--json", "-", given=png(7)).stdout)
    assert (row["path"], row["label"]) == ("-", 7)
    names = f"{pictures / '1_b.png'}\n{pictures / '0_a.png'}\n".encode()
    assert [row["label"] for row in json.loads(predict("--json", "-", given=names).stdout)] == [1, 0]
    done = predict("-", given=b"\x00\x01\x02")
    assert done.exit_code == 1
    assert "Standard input holds neither" in done.stderr


def test_scores_from_file_names(predict, pictures):
    draw(1).save(pictures / "7_wrong.png")
    draw(1).save(pictures / "x.png")  # no class: read, but not scored
    done = predict("--labels-from", "file", pictures)
    assert done.exit_code == 1
    assert "x.png begins with 'x', which is none of the classes 0, 1, 7" in done.stderr
    # Wilson's interval for 3 of 4, worked by hand: (0.6275 ± 0.3269).
    assert "Right: 3 of 4 (75.0%, 95 % interval 30.1%–95.4%)" in done.stdout
    matrix = done.stdout[done.stdout.index("true ↓") :].splitlines()[1:]
    assert [line.split() for line in matrix] == [
        ["0", "1", "7"],
        ["0", "1", "·", "·"],
        ["1", "·", "1", "·"],
        ["7", "·", "1", "1"],
    ]


def test_scores_from_folders_go_to_standard_error_beside_json(predict):
    for label in (0, 7):
        Path(str(label)).mkdir()
        draw(label).save(f"{label}/a.png")
    done = predict("--labels-from", "folder", "--json", "0", "7")
    assert done.exit_code == 0
    assert len(json.loads(done.stdout)) == 2
    assert done.stderr.startswith("Right: 2 of 2 (100.0%")
    assert "In 7: 1 of 1 (100.0%" in done.stderr


def test_the_sheet(predict, pictures, tmp_path):
    done = predict(pictures, "--show", "sheets/sheet.png")
    assert "Sheet: sheets/sheet.png" in done.stdout
    with Image.open("sheets/sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    assert (pixels[..., 0] - pixels[..., 2] > 100).any()  # something spoke for an answer …
    assert (pixels == 0).all(
        axis=2
    ).sum() > 3 * 112 * 112 / 2  # … and the black ground of what the network saw is there
    assert predict("nosuch.png", "--show", "none.png").exit_code == 1
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Missing argument 'PATH…'"),
        (["a.png", "--csv", "--json"], "--csv and --json exclude each other"),
        (["a.png", "--split", "--labels-from", "file"], "choose one"),
        (["a.png", "--threshold", "2"], "2.0 is not in the range 0<=x<=1"),
        (["a.png", "--labels-from", "name"], "'name' is not one of 'file', 'folder'"),
    ],
)
def test_wrong_use(predict, words, sentence):
    done = predict(*words)
    assert done.exit_code == 2
    assert sentence in " ".join(done.stderr.split())


def test_an_unknown_model(predict):
    done = predict("a.png", "--model", "nosuch")
    assert "nosuch does not exist" in str(done.exception)


def test_texts_as_classes(predict, pictures, trained):
    network = trained[0].network
    model.save(Model(network, np.array(["ring", "bar", "roof"]), 28, {}), "named.safetensors")
    rows = json.loads(predict("--json", "--model", "named.safetensors", pictures).stdout)
    assert [row["label"] for row in rows] == ["ring", "bar", "roof"]


def test_the_process_ends_with_1(run, pictures, tmp_path):
    """The whole program, with warnings as errors: one sentence a bad file, no traceback."""
    command = [sys.executable, "-W", "error", str(ROOT / "main.py"), "predict", str(pictures / "0_a.png"), "none.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: none.png could not be read")
    assert "0_a.png" in done.stdout
