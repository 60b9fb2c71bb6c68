"""fetch, check, submit, runs and leaderboard as they are typed, against the real client."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from kaggle_archive import KEY, archive
from kaggle_server import Fault

from pipeline import cli
from pipeline.dataset import load
from pipeline.dataset.slug import MARK, write_mark
from pipeline.runs.ledger import Ledger
from pipeline.runs.run_folder import data_record

NAMES = ("fetch", "check", "submit", "runs", "leaderboard")


def record_of(data, **recipe):
    """What run.json says of a run on these data when it begins."""
    return {"recipe": {"name": "default", **recipe}, "seed": 0, "data": data}


@pytest.fixture
def type_in(signed_in, capfd, monkeypatch):
    """Types a command; gives its exit code, stdout and stderr."""
    monkeypatch.setattr("pipeline.kaggle.client.WAIT_SECONDS", 600)  # however busy the machine is, stderr stays empty
    for name in NAMES:
        monkeypatch.setitem(cli.COMMANDS, name, name)

    def type_in(*words: str) -> tuple[int, str, str]:
        code = 0
        try:
            cli.main(list(words))
        except SystemExit as end:
            code = end.code or 0
        return code, *capfd.readouterr()

    return type_in


@pytest.fixture
def data(signed_in, server):
    """Kaggle's files as `fetch` leaves them."""
    shutil.rmtree("data", ignore_errors=True)
    Path("bundle.zip").write_bytes(server.archive)
    shutil.unpack_archive("bundle.zip", "data")
    write_mark(Path("data"), "digit-recognizer")


def test_from_the_first_command_to_the_score(server, type_in, submission):
    code, out, err = type_in("fetch", "--competition", "https://www.kaggle.com/competitions/digit-recognizer/data")
    assert (code, err) == (0, "")
    assert str(Path("data/train.csv")) in out

    ledger = Ledger("runs")
    ledger.start_run("run-1", record_of(data_record(load("data"))), "python main.py", "c0ffee")
    holdout = {"rows": 4200, "accuracy": 0.985, "low": 0.981, "high": 0.9885}
    ledger.finish_run("run-1", {"holdout": holdout, "seconds": 8, "submission": str(submission)})

    code, out, err = type_in("check")
    assert (code, out.count("\n")) == (0, 1)
    assert "30 rows, fit for" in out

    code, out, err = type_in("submit", "-m", "first try")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "3 submissions are left today."
    assert out.splitlines()[-1] == "public 0.98614: inside what the holdout promised (0.98100 to 0.98850)"

    code, out, err = type_in("submit", "-m", "first try")
    assert code == 2
    assert "This very file was submitted on" in err
    assert "add --yes" in err
    assert len(server.submissions) == 1

    code, out, _ = type_in("runs", "--csv")
    assert [(row["id"], row["public"]) for row in csv.DictReader(out.splitlines())] == [("run-1", "0.98614")]
    code, out, _ = type_in("runs")
    assert "98.50%" in out
    assert "0.98614" in out
    code, out, _ = type_in("runs", "show", "run")
    assert "digit-recognizer: complete, public 0.98614," in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = type_in("runs", "best", "--by", "public")
    assert "98.50% (98.10% to 98.85%) of 4,200 rows" in out
    code, out, _ = type_in("leaderboard")
    assert "Your best is 0.98614 (first try [inkproof-" in out
    assert out.endswith(": place 3.\n")

    Path("elsewhere").mkdir()
    assert type_in("runs", "--runs", "elsewhere")[1] == "No runs yet: type `python main.py`.\n"
    assert type_in("runs", "show", "--runs", "elsewhere", "run")[0] == 2
    assert type_in("runs", "--runs", "elsewhere", "show", "run")[0] == 2
    assert json.loads(type_in("runs", "--json")[1])[0]["submissions"][0]["public_score"] == 0.98614


def test_no_wait(server, type_in, data, submission):
    server.pending_looks = 9
    code, out, _ = type_in("submit", "--no-wait", "--yes")
    assert (code, out.splitlines()[-1][:12]) == (0, "No score yet")


def test_a_faulty_file_is_not_sent(server, type_in, data, submission):
    submission.write_text(submission.read_text().replace("\n3,2\n", "\n3,x\n").replace("\n9,8\n", "\n"))
    code, out, err = type_in("check")
    assert code == 1
    assert "line 4: Label is 'x', it must be one of" in out
    assert err.startswith("Error: ")
    code, out, err = type_in("submit")
    assert (code, out) == (1, "")
    assert "is not fit to be submitted" in err
    assert server.calls == []


def test_a_long_list_of_faults_is_cut(type_in, data, submission):
    submission.write_text("ImageId,Label\n" + "".join(f"{i},x\n" for i in range(1, 31)))
    code, out, _ = type_in("check")
    assert code == 1
    assert out.splitlines()[-1] == "… and 11 more"  # 30 bad labels and their being all the same, 20 shown


def test_the_sample_is_not_sent(server, type_in, submission):
    code, _, err = type_in("submit")
    assert code == 1
    assert "which Kaggle cannot score" in err
    assert server.calls == []


def test_another_competitions_answers_are_not_sent(server, type_in, data, submission):
    """Answers to data that nobody named went to digit-recognizer and cost one of the day's five."""
    Path("data").rename("fashion")
    (Path("fashion") / MARK).unlink()
    code, out, err = type_in("submit", "--data", "fashion")
    assert (code, out) == (1, "")
    assert "Nobody named the competition that fashion belongs to" in err
    write_mark(Path("fashion"), "Fashion-MNIST")
    code, out, err = type_in("submit", "--data", "fashion", "--competition", "digit-recognizer")
    assert (code, out) == (2, "")
    assert "holds the files of Fashion-MNIST, found --competition digit-recognizer" in err
    assert server.calls == []
    server.slug = "Fashion-MNIST"
    assert type_in("submit", "--data", "fashion")[0] == 0
    assert server.bodies[0]["competitionName"] == "Fashion-MNIST"


def test_data_that_nobody_named_go_where_they_are_told(server, type_in, data, submission):
    (Path("data") / MARK).unlink()
    assert type_in("submit", "--competition", "https://www.kaggle.com/c/digit-recognizer")[0] == 0
    assert len(server.submissions) == 1


def test_a_run_of_other_data_is_not_sent(server, type_in, data, submission):
    ledger = Ledger("runs")
    ledger.start_run("run-1", record_of({"name": "fashion", "fingerprint": "f"}), "c")
    ledger.finish_run("run-1", {"submission": str(submission)})
    code, _, err = type_in("submit")
    assert code == 1
    assert "was written by run run-1 for the data fashion, and data holds digit-recognizer" in err
    assert server.calls == []


def test_a_run_of_another_competition_is_not_sent(server, type_in, data, submission):
    (Path("data") / MARK).unlink()
    there = data_record(load("data")) | {"competition": "Kannada-MNIST"}
    ledger = Ledger("runs")
    ledger.start_run("run-1", record_of(there), "c")
    ledger.finish_run("run-1", {"submission": str(submission)})
    code, _, err = type_in("submit", "--competition", "digit-recognizer")
    assert code == 1
    assert "for Kannada-MNIST, found --competition digit-recognizer" in err
    assert server.calls == []


def test_a_runs_own_submission_is_checked_and_sent(server, type_in, data, submission):
    ledger = Ledger("runs")
    for id in ("20260101-first", "20260102-second"):
        ledger.start_run(id, record_of(data_record(load("data"))), "c")
    own = Path("runs/20260101-first/submission.csv")
    shutil.copy(submission, own)
    submission.unlink()
    assert type_in("check", "20260101")[1] == f"{own}: 30 rows, fit for digit-recognizer.\n"
    assert type_in("submit", "20260101")[0] == 0
    assert server.uploads == [own.read_bytes()]
    code, _, err = type_in("submit", "20260102")
    assert code == 1
    assert "Run 20260102-second (running) kept no submission" in err or "(stopped)" in err
    assert type_in("submit", "2026")[0] == 2


def test_a_check_without_data_says_with_what_it_compares(type_in, submission):
    _, _, err = type_in("check")
    assert "No data in data/: compared with the embedded sample (scikit-learn" in err


def test_fetch_writes_the_competition_down(server, type_in):
    server.slug = "Kannada-MNIST"
    assert type_in("fetch", "--competition", "https://www.kaggle.com/c/Kannada-MNIST")[0] == 0
    assert load("data").slug == "Kannada-MNIST"
    assert type_in("leaderboard")[0] == 0
    assert server.bodies[-1]["competitionName"] == "Kannada-MNIST"


def test_exit_codes_and_sentences(server, type_in, data, submission, monkeypatch):
    assert type_in("fetch", "--competition", "Digit Recognizer")[0] == 2
    assert type_in("submit", "no.csv")[0] == 1
    assert type_in("runs", "show", "x")[0] == 2
    assert type_in("runs", "--sort", "beauty")[0] == 2
    server.faults["DownloadDataFiles"] = Fault(403)
    code, out, err = type_in("fetch", "--data", "new")
    assert (code, out, err.count("\n")) == (1, "", 1)
    monkeypatch.delenv("KAGGLE_KEY")
    code, out, err = type_in("fetch", "--data", "new")
    assert (code, out, err.count("\n")) == (1, "", 5)


def test_diff(type_in):
    ledger = Ledger("runs")
    for id, epochs, accuracy in (("a", 10, 0.98), ("b", 20, 0.981)):
        ledger.start_run(id, record_of({"name": "digits", "fingerprint": "f"}, epochs=epochs), "c")
        ledger.finish_run(id, {"holdout": {"rows": 4200, "accuracy": accuracy}})
    code, out, _ = type_in("runs", "diff", "a", "b")
    assert code == 0
    assert "  recipe.epochs 10 → 20" in out.splitlines()
    assert "No difference that these rows can show (+0.10 points" in out
    assert max(map(len, out.splitlines())) <= 80


def test_openml_says_what_it_is(type_in, monkeypatch):
    monkeypatch.setattr("pipeline.kaggle.openml.fetch_openml", lambda folder, force: [])
    code, out, _ = type_in("fetch", "--source", "openml")
    assert code == 0
    assert "not Kaggle's" in out


def test_the_key_is_in_no_output_and_no_file(server, type_in, submission, tmp_path):
    server.archive = archive()
    shown = []
    for faults in ({}, {"CreateSubmission": Fault(403), "GetLeaderboard": Fault(401)}):
        server.faults = faults
        for words in (["fetch", "--force"], ["submit", "--yes"], ["leaderboard"], ["runs", "--json"]):
            shown += type_in(*words)[1:]
    assert any("Kaggle refuses digit-recognizer" in text for text in shown)
    assert not [text for text in shown if KEY in text]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
