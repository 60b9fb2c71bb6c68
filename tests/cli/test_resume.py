"""--resume, --engine and --scheduler: the same for every command that runs a job."""

from __future__ import annotations

import json
import sys

import pytest
import tomlkit

from pipeline import dataset
from pipeline.cli import main
from pipeline.jobs import bench
from pipeline.jobs.tuning import study, trials
from pipeline.runs.ledger import Ledger

SEARCH = """
[search]
schedule.learning_rate = { low = 0.001, high = 0.1, log = true }  # as far as it may go
training.batch_size = { choices = [16, 32] }
"""
# Kind of job → command line, and how many fits or trials there are.
JOBS = {
    "main": (["run", "--noise", "0,0.2", "--repeats", "1", "--submit-level", "0.2"], 3),
    "folds": (["run", "--cv", "3", "--submission", "mine.csv"], 3),
    "compare": (["compare", "--train", "clean,σ 0.2", "--test", "σ 0.3", "--repeats", "1"], 2),
    "tune": (["tune", "--trials", "3", "--folds", "2", "--pruner", "none"], 3),
}
# What results follow from; what follows from the time or the run's id is left out.
MADE = (
    "*.csv", "table.md", "*.npz", "models/**/*.safetensors", "fits/**/*.safetensors", "report/*.csv",
)  # fmt: skip


@pytest.fixture
def type_in(tmp_path, monkeypatch, quick_recipe_file):
    """Types a command line in an empty folder; gives what the process would end with."""
    recipe = tmp_path / "mine.toml"
    recipe.write_text(quick_recipe_file.read_text(encoding="utf-8") + SEARCH, encoding="utf-8")
    quick_recipe_file.unlink()

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["main.py", *words])
        monkeypatch.setattr("pipeline.cli.signal.signal", lambda *arguments: None)
        try:
            main(list(words))
        except SystemExit as end:
            return end.code or 0
        return 0

    monkeypatch.chdir(tmp_path)
    return run


def stop_after(count, monkeypatch):
    """Ctrl-C as soon as so many fits, or trials, have ended; gives the names of those that were done."""
    done = []
    real_tasks, real_trial = bench.run_tasks, trials.one_trial

    def tasks(todo, *arguments, **named):
        for task, result in real_tasks(todo, *arguments, **named):
            done.append(task.name)
            yield task, result
            if len(done) == count:
                raise KeyboardInterrupt

    def trial(*arguments):
        if len(done) == count:
            done.append("stopped")
            raise KeyboardInterrupt
        done.append(real_trial(*arguments))
        return done[-1]

    monkeypatch.setattr(bench, "run_tasks", tasks)
    monkeypatch.setattr(trials, "one_trial", trial)
    return done


def made(folder):
    """Name → content of what settings, data and seed decide."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for name in MADE for path in folder.glob(name)}
    if "report/epochs.csv" in found:  # without seconds
        found["report/epochs.csv"] = [line.rpartition(b",")[0] for line in found["report/epochs.csv"].splitlines()]
    if "trials.csv" in found:
        found["trials.csv"] = [line.rsplit(b",", 2)[0] for line in found["trials.csv"].splitlines()]
        best = tomlkit.parse((folder / "best.toml").read_text(encoding="utf-8"))
        found["best.toml"] = tomlkit.dumps(best).partition("summary")[2]
    return found


def record_of(folder):
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return {name: record[name] for name in ("kind", "seed", "recipe", "data", "extra", "command", "versions")}


@pytest.mark.parametrize("kind", JOBS)
def test_a_job_that_was_stopped_goes_on_by_its_own_settings(type_in, tmp_path, monkeypatch, capsys, kind):
    words, count = JOBS[kind]
    words = [*words, "--recipe", "mine.toml", "--seed", "7", "--jobs", "1"]
    assert type_in(*words) == 0
    (whole,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    submission = tmp_path / ("mine.csv" if kind == "folds" else "submissions/submission.csv")
    expected = submission.read_bytes() if kind in ("main", "folds") else None
    submission.unlink(missing_ok=True)

    done = stop_after(count - 1, monkeypatch)
    capsys.readouterr()
    if kind == "tune":  # it would go on with the first
        whole = whole.rename(tmp_path / "whole")
    assert type_in(*words) == 130
    said = capsys.readouterr()
    assert "the same command again goes on from there" in said.out and "Stopped." in said.err
    stopped = next(run for run in Ledger(tmp_path / "runs").runs() if run.status == "stopped")
    folder = tmp_path / "runs" / stopped.id
    assert type_in("report", folder.name) == 1
    assert "the run in it has not ended" in capsys.readouterr().err
    assert not submission.exists()

    (tmp_path / "mine.toml").unlink()  # its settings come from the run
    first = len(done)
    assert type_in(words[0], "--resume", folder.name) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Inkproof: going on with {folder.name}\n")
    assert f"{count - 1} of {count} " in said and "are there already" in said
    assert len(done) == first + 1
    assert made(folder) == made(whole) and len(made(folder)) > 1
    assert record_of(folder) == record_of(whole)
    assert (submission.read_bytes() if expected is not None else None) == expected
    assert Ledger(tmp_path / "runs").run(folder.name).status == "finished"

    capsys.readouterr()
    again = type_in(words[0], "--resume", folder.name)
    if kind == "tune":  # which can always go on
        assert again == 0 and len(done) == first + 1
        assert type_in("tune", "--resume", folder.name, "--trials", "4", "--quiet") == 0
        assert len(done) == first + 2
        assert "4 trials: 4 complete" in " ".join(capsys.readouterr().out.split())
    else:
        assert again == 2
        assert f"Run {folder.name} has ended" in capsys.readouterr().err


def test_a_stopped_job_may_write_its_submission_elsewhere(type_in, tmp_path, monkeypatch, capsys):
    words, count = JOBS["main"]
    stop_after(count - 1, monkeypatch)
    assert type_in(*words, "--recipe", "mine.toml", "--jobs", "1", "--quiet") == 130
    (run,) = Ledger(tmp_path / "runs").runs()
    assert type_in("run", "--resume", run.id, "--quiet", "--submission", "elsewhere.csv", "--jobs", "2") == 0
    assert (tmp_path / "elsewhere.csv").exists() and not (tmp_path / "submissions").exists()
    assert capsys.readouterr().out.splitlines()[-1] == "Submission: elsewhere.csv"


@pytest.mark.parametrize("command", ["run", "compare", "tune"])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler names a Dask cluster: give --engine dask with it."),
        (["--engine", "threads"], "'threads' is not one of 'processes', 'dask'"),
        (["--resume", "nothing"], "runs/nothing holds no job that could go on (job.json: No such file or directory)"),
        (["--resume", "nothing", "--seed", "4"], "leave out --seed."),
        (["--resume", "nothing", "--recipe", "default"], "leave out --recipe."),
        (["--resume", "nothing", "--label-column", "digit"], "leave out --label-column."),
        (["--jobs", "0"], "0 is not in the range x>=1"),
    ],
)
def test_wrong_use_ends_with_2_and_writes_nothing(type_in, tmp_path, capsys, command, words, sentence):
    assert type_in(command, *words) == 2
    assert sentence in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("main", ["compare"]),
        ("main", ["tune"]),
        ("compare", ["run"]),
        ("tune", ["run"]),
        ("folds", ["tune"]),
    ],
)
def test_a_job_of_another_command_is_told(type_in, tmp_path, monkeypatch, capsys, kind, words):
    stop_after(1, monkeypatch)
    assert type_in(*JOBS[kind][0], "--recipe", "mine.toml", "--jobs", "1", "--quiet") == 130
    (run,) = Ledger(tmp_path / "runs").runs()
    capsys.readouterr()
    assert type_in(*words, "--resume", run.id, "--quiet") == 2
    assert f"Run {run.id} is a job of another command: go on with it by `python main.py" in capsys.readouterr().err
    assert Ledger(tmp_path / "runs").run(run.id).status == "stopped"


def test_a_databases_password_is_kept_nowhere(type_in, tmp_path, monkeypatch, capsys):
    real = study.StudyStorage.storage

    def storage(self):
        assert self.url == "postgresql://me:secret@host/trials"
        return real(study.StudyStorage(self.name, self.journal))

    monkeypatch.setattr(study.StudyStorage, "storage", storage)
    words = ["tune", "--trials", "1", "--folds", "2", "--storage", "postgresql://me:secret@host/trials"]
    (tmp_path / "journal.log").touch()
    assert type_in(*words, "--recipe", "mine.toml", "--jobs", "1") == 0
    said = capsys.readouterr()
    assert "secret" not in said.out + said.err
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert len(files) > 10 and [path.name for path in files if b"secret" in path.read_bytes()] == []
    (run,) = Ledger(tmp_path / "runs").runs()
    assert "--storage postgresql://host/trials" in run.command
    monkeypatch.setenv("INKPROOF_STORAGE", "postgresql://me:secret@host/trials")
    assert type_in("tune", "--resume", run.id, "--trials", "2", "--quiet") == 0
    assert "2 trials: 2 complete" in " ".join(capsys.readouterr().out.split())


def test_data_and_its_columns_are_found_again(type_in, tmp_path, monkeypatch, capsys):
    rows = dataset.load().train
    pixels = ",".join(f"pixel{place}" for place in range(64))
    lines = [",".join(map(str, [label, *image.ravel()])) for image, label in zip(rows.images, rows.labels, strict=True)]
    data = tmp_path / "data of mine"
    data.mkdir()
    (data / "train.csv").write_text(f"digit,{pixels}\n" + "\n".join(lines[:200]) + "\n", encoding="utf-8")
    (data / "test.csv").write_text(
        f"key,{pixels}\n" + "".join(f"{key},{line.partition(',')[2]}\n" for key, line in enumerate(lines[200:210])),
        encoding="utf-8",
    )
    where = ["--data", "data of mine", "--label-column", "digit", "--id-column", "key"]
    stop_after(1, monkeypatch)
    assert type_in("run", *where, "--recipe", "mine.toml", "--noise", "0", "--repeats", "1", "--jobs", "1") == 130
    (run,) = Ledger(tmp_path / "runs").runs()
    assert type_in("run", "--resume", run.id, "--quiet") == 0
    assert (tmp_path / "submissions" / "submission.csv").read_text(encoding="utf-8").startswith("key,digit\n0,")
    capsys.readouterr()
    (tmp_path / "runs" / run.id / "run.json").unlink()
    (tmp_path / "moved").mkdir()
    data.rename(tmp_path / "moved" / data.name)
    assert type_in("run", "--resume", run.id, "--quiet") == 1
    assert "data of mine does not exist" in capsys.readouterr().err
    assert type_in("run", "--resume", run.id, "--quiet", "--data", "moved/data of mine") == 0
    (tmp_path / "runs" / run.id / "run.json").unlink()
    (tmp_path / "moved" / data.name).rename(tmp_path / "another name")
    assert type_in("run", "--resume", run.id, "--quiet", "--data", "another name") == 0
