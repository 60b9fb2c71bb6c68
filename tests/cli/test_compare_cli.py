"""`python main.py compare` and `report` as a user types them, on the embedded sample."""

from __future__ import annotations

import csv

import pytest

TRAIN = "clean,σ 0.2,adversarial Linf 0.1"
TEST = "σ 0.1,σ 0.3,shift right 1-2,rotate 1-2,fgsm Linf 0.05,fgsm Linf 0.1"


def run_folder(tmp_path):
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    return folder


def test_the_whole_comparison_and_its_report_again(inkproof, tmp_path, quick_recipe_file):
    asked = ["--recipe", str(quick_recipe_file), "--train", TRAIN, "--test", TEST, "--repeats", "2"]
    asked += ["--prove", "0.05,0.02", "--prove-rows", "12", "--find", "1"]
    done = inkproof("compare", *asked, "--certify", "0.25", "--certify-rows", "10", "--certify-samples", "50")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "Inkproof: reading data/"
    text = " ".join(done.stdout.split())
    for said in (
        "EMBEDDED SAMPLE",
        "Two repeats are too few: two figures tell next to nothing",
        "Can the attacks be believed?",
        "checks passed",
        "Trained with σ 0.2, against clean",
        "18 comparisons",
        "First repeat of each, 12 rows. Left: what attacks leave right",
        "To find 1 points to clean on clean rows four times in five: σ 0.2: ",
    ):
        assert said in text, said
    folder = run_folder(tmp_path)
    assert lines[-1] == f"Report: {folder.relative_to(tmp_path)}/report.html"
    with (folder / "grid.csv").open(encoding="utf-8") as file:
        grid = list(csv.DictReader(file))
    assert len(grid) == 3 * 2 * 9
    assert {line["rows"] for line in grid} == {"144"}

    with (folder / "report" / "attacked-and-proven.csv").open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            shares = [float(line[f"{what}_at_{at}"]) for at in (0.02, 0.05) for what in ("attacked", "proven")]
            assert 1 >= shares[0] >= shares[1] >= shares[3] and shares[2] >= shares[3], line
    assert "Attacks and proofs" in (folder / "report.html").read_text(encoding="utf-8")

    written = folder / "report.json"
    before = written.read_bytes()
    written.unlink()
    again = inkproof("report", folder.name)
    assert (again.returncode, again.stdout.strip()) == (0, lines[-1])
    assert written.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--train", "clean,shfit"], "did you mean shift?"),
        (["--train", "clean,,shift"], "there is nothing"),
        (["--test", "rotat 3"], "There is no test condition or attack 'rotat': did you mean rotate?"),
        (["--test", "rotate 9"], "severity of rotate"),
        (["--test", "pgd Linf -0.1"], "ε must be"),
        (["--repeats", "0"], "0 is not in the range 1<=x<=100"),
        (["--baseline", "shift", "--train", "clean"], "The baseline 'shift' is not trained"),
        (["--test", "pdg Linf 0.1"], "did you mean pgd?"),
        (["--certify-alpha", "1"], "1.0 is not in the range 0<x<1"),
        (["--certify", "0"], "0.0 is not in the range"),
        (["--prove", "0.1,much"], "'0.1,much' must be numbers separated by commas"),
        (["--prove", "2"], "ε 2 is not in the range 0<ε<=1"),
        (["--find", "0"], "0.0 is not in the range"),
    ],
)
def test_wrong_use_ends_with_2(inkproof_here, tmp_path, arguments, sentence):
    done = inkproof_here("compare", *arguments)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_report_of_nothing_is_told(inkproof_here):
    done = inkproof_here("report", "nothing")
    assert (done.returncode, done.stderr.startswith("Error: There is no run in runs/nothing")) == (2, True)
