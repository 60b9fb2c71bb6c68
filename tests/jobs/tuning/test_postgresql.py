"""A search in a real PostgreSQL: two processes begin it at once on an empty database, and end with the right count."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import commands
import pytest

SEARCH = "\n[search]\nschedule.learning_rate = { low = 0.001, high = 0.1, log = true }\n"


def server_programs() -> Path | None:
    """Where initdb and postgres are: on the path, or where Debian puts them."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return places[-1] if places else None


@pytest.fixture
def database():
    """The address of an empty database in a server of its own, which ends with the test."""
    programs = server_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed")
    pytest.importorskip("psycopg2")
    folder = Path(tempfile.mkdtemp())  # not pytest's own, which only its owner may enter
    user = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        user = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
    begin = [*user, str(programs / "initdb"), "-D", str(data), "-U", "me", "-A", "trust", "--no-sync", "-E", "UTF8"]
    subprocess.run(begin, **quiet)
    control = [*user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    subprocess.run([*control, "-o", options, "start"], **quiet)
    yield f"postgresql+psycopg2://me@127.0.0.1:{port}/postgres"
    subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
    shutil.rmtree(folder)


def test_two_searches_that_begin_at_once_end_with_as_many_trials_as_asked(tmp_path, quick_recipe_file, database):
    with quick_recipe_file.open("a", encoding="utf-8") as file:
        file.write(SEARCH)
    words = ["tune", "--recipe", str(quick_recipe_file), "--storage", database, "--trials", "5", "--folds", "2"]
    words += ["--pruner", "none", "--jobs", "1", "--quiet"]
    several = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        texts = {what: tmp_path / f"{name}.{what}" for what in ("out", "err")}
        several.append((commands.start(words, folder, **texts), texts))
    for process, texts in several:
        process.join(120)
        assert (process.exitcode, texts["err"].read_text(encoding="utf-8")) == (0, "")
    import optuna

    (summary,) = optuna.get_all_study_summaries(database)
    study = optuna.load_study(study_name=summary.study_name, storage=database)
    ended = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    begun = [trial for trial in study.trials if f"stopped {trial.number}" not in study.user_attrs]
    assert len(ended) == len(begun) == 5
    assert {trial.user_attrs["run"] for trial in ended} == {run.name for run in tmp_path.glob("*/runs/2*")}


def test_a_driver_that_is_not_installed_is_named(inkproof_here, tmp_path, quick_recipe_file, monkeypatch):
    import sys

    with quick_recipe_file.open("a", encoding="utf-8") as file:
        file.write(SEARCH)
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    done = inkproof_here(
        "tune", "--recipe", str(quick_recipe_file), "--storage", "postgresql+psycopg2://me:secret@host/t"
    )
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "--storage postgresql+psycopg2://host/t needs the package psycopg2, which is not installed" in said
    assert "pip install psycopg2-binary" in said and "secret" not in said
