"""`answer`: any rows by a finished run, as its submission was made; whole files, whatever form the rows come in."""

from __future__ import annotations

import csv
import zipfile

import numpy as np
import pytest

from pipeline.dataset import read_blocks, rows
from pipeline.errors import DataError


@pytest.fixture
def finished(inkproof_here, tmp_path, quick_recipe_file, request):
    """A finished run on the sample; gives its folder. The parameter: more options."""
    text = quick_recipe_file.read_text(encoding="utf-8")
    quick_recipe_file.write_text(f'{text}\n[run]\nviews = ["shift left 1"]\n', encoding="utf-8")
    done = inkproof_here("--recipe", quick_recipe_file, "--noise", "0", *request.param)
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "runs").glob("*/run.json")
    return path.parent


@pytest.mark.parametrize("finished", [("--repeats", "2"), ("--cv", "2")], indirect=True)
def test_the_runs_own_test_rows_get_the_runs_own_submission(inkproof_here, finished, tmp_path):
    done = inkproof_here("answer", finished.name, "--data", "data/sample/test.csv", "--probabilities")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("answers.csv: 355 rows, answered by 2 networks of runs/")
    with (tmp_path / "answers.csv").open(newline="") as file:
        answers = list(csv.reader(file))
    with (finished / "submission.csv").open(newline="") as file:
        assert [answer[:2] for answer in answers] == list(csv.reader(file))
    assert answers[0][2:] == [f"probability_{digit}" for digit in range(10)]
    found = np.array([answer[2:] for answer in answers[1:]], float)
    kept = np.load(finished / "test.npz")
    theirs = kept["ensemble" if "ensemble" in kept else "committee"]
    assert np.abs(found - theirs).max() < 1e-5


@pytest.mark.parametrize("finished", [("--repeats", "1")], indirect=True)
def test_rows_of_any_form_and_none_that_do_not_suit(inkproof_here, finished, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK_BYTES", 5000)  # several blocks
    model = finished / "models" / "final" / "all-rows-repeat-1.safetensors"
    (tmp_path / "submission.csv").write_bytes((finished / "submission.csv").read_bytes())
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as packed:
        packed.write("data/sample/test.csv", "rows.csv")
    for data in ("data/sample", "rows.zip"):
        assert inkproof_here("answer", finished.name[:13], "--data", data, "--to", "out.csv").returncode == 0
        assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "submission.csv").read_bytes()
    done = inkproof_here("answer", str(model), "--data", "data/sample/train.csv", "--to", "train.csv")
    assert "train.csv: 1,442 rows, answered by 1 network of" in done.stdout  # its labels are not looked at
    (tmp_path / "small.csv").write_text("id,a,b\n7,1,2\n")
    done = inkproof_here("answer", finished.name, "--data", "small.csv", "--to", "train.csv")
    assert done.returncode == 1 and "small.csv has 2 pixel columns where these networks take 64 (8×8)" in done.stderr
    assert len((tmp_path / "train.csv").read_text().splitlines()) == 1443  # the file before is whole
    assert not list(tmp_path.glob(".*.part"))
    done = inkproof_here("predict", "small.csv")
    assert done.returncode == 1 and "`python main.py answer RUN --data small.csv` reads them" in done.stderr


def test_a_block_that_is_not_plain_is_read_cell_by_cell_and_no_row_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK_BYTES", 64)
    lines = [f"{row},{row % 256},2,3,4\n" for row in range(100)]
    lines[70] = '"70",70,2,3,4\n'
    (tmp_path / "t.csv").write_text("id,a,b,c,d\n" + "".join(lines))
    blocks = list(read_blocks(tmp_path / "t.csv"))
    assert [id for _, _, ids in blocks for id in ids] == [str(row) for row in range(100)]
    assert [int(row[0]) for _, pixels, _ in blocks for row in pixels] == list(range(100))
    lines[80] = "80,1,2,3\n"
    (tmp_path / "t.csv").write_text("id,a,b,c,d\n" + "".join(lines))
    with pytest.raises(DataError, match=r"row 81 \(line 82\) has 4 cells where the header has 5"):
        list(read_blocks(tmp_path / "t.csv"))


def test_an_archive_of_several_tables_without_a_test_csv(tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as packed:
        for name in ("a.csv", "b.csv"):
            packed.writestr(name, "id,a\n1,2\n")
    with pytest.raises(DataError, match="holds 2 tables and no"):
        list(read_blocks(tmp_path / "two.zip"))
