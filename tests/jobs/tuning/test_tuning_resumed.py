"""A search taken up again, shared by processes, or stored in a database: the same trials, none lost, none twice."""

from __future__ import annotations

import numpy as np
import optuna
import pytest

from pipeline.errors import StorageError, UsageError
from pipeline.jobs.tuning import artifacts, trials
from pipeline.jobs.tuning.study import missing, resume, stopped_in
from pipeline.runs.ledger import Ledger
from pipeline.storage import FileLock

BAD_ADDRESSES = [
    ("search.db", "Could not parse"),
    ("nonsense://host/name", "Can't load plugin"),
    ("sqlite:///{tmp}/missing/search.db", "unable to open database file"),
    ("mysql+nothing://localhost/search", "Can't load plugin"),
]


def figures(outcome):
    return [(one.values, one.state, one.score and one.score.accuracies) for one in outcome.results.trials]


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """Figures take longer than the trials here, and tell nothing of them."""
    monkeypatch.setattr(artifacts, "save_figure", lambda figure, path: None)


@pytest.fixture
def counted(monkeypatch):
    """The recipes that were scored in this process, in their order."""
    scored, real = [], trials.score

    def score(recipe, *arguments, **more):
        scored.append(recipe)
        return real(recipe, *arguments, **more)

    monkeypatch.setattr(trials, "score", score)
    return scored


def test_the_same_command_adds_what_is_missing(search, counted):
    whole = search(trials=5, folder="whole")
    assert len(counted) == 5
    first = search(trials=2)
    assert len(counted) == 7
    more = search(trials=5)
    assert len(counted) == 10
    assert first.folder == more.folder
    assert figures(more) == figures(whole)
    assert figures(first) == figures(whole)[:2]
    fewer = search(trials=3)  # all there already: nothing is done, nothing is lost
    assert len(counted) == 10
    assert figures(fewer) == figures(whole)


def test_the_search_begins_with_the_recipe_and_the_seed_changes_what_follows(search):
    one, two = search(trials=3), search(trials=3, seed=1)
    own = {"schedule.learning_rate": 0.01, "network.layers.1.units": 16}
    first, second = one.results, two.results
    assert first.trials[0].values == second.trials[0].values == own
    assert first.trials[0] is first.own
    assert one.folder != two.folder
    assert first.trials[1].values != second.trials[1].values


def test_other_settings_are_another_search(search):
    folders = {
        search(trials=1, **other).folder for other in ({}, {"folds": 2}, {"holdout_share": 0.2}, {"pruner": "asha"})
    }
    assert len(folders) == 4


@pytest.mark.parametrize("stopped_in", [1, 11])
def test_a_search_that_is_stopped_goes_on_as_if_nothing_had_happened(search, tmp_path, monkeypatch, stopped_in):
    total = stopped_in + 2  # the second time beyond the random beginning, where trials follow from those before
    whole = search(trials=total, folder="whole")
    real, calls = trials.score, []

    def stopping(recipe, *arguments, report, **more):
        calls.append(recipe)
        if len(calls) == stopped_in + 1:
            report(1, 0.5)
            raise KeyboardInterrupt
        return real(recipe, *arguments, report=report, **more)

    monkeypatch.setattr(trials, "score", stopping)
    with pytest.raises(KeyboardInterrupt):
        search(trials=total)
    (run,) = Ledger(tmp_path / "runs").runs()
    assert (run.status, run.reason) == ("stopped", "stopped from outside")
    folder = tmp_path / "runs" / run.id
    assert "the same command again goes on from there" in (folder / "log.txt").read_text(encoding="utf-8")
    with (folder / "journal.log").open("ab") as journal:  # as a killed process leaves it
        journal.write(b'{"op_code":6,"worker_id"')
    (folder / "journal.log.lock").symlink_to(folder / "journal.log")

    again = search(trials=total)
    assert again.folder == folder
    assert len(calls) == total + 1
    assert figures(again) == figures(whole)
    assert [one.number for one in again.results.trials] == [n for n in range(total + 1) if n != stopped_in]
    assert Ledger(tmp_path / "runs").run(run.id).status == "finished"


def test_what_was_stopped_is_put_in_line_again_with_its_settings():
    study = optuna.create_study(direction="maximize")
    assert resume(study, "mine", {"x": 0.25}, alone=False) == 0
    first, second, third = study.ask(), study.ask(), study.ask()
    assert first.suggest_float("x", 0, 1) == 0.25
    tried = second.suggest_float("x", 0, 1)
    study.tell(first, 0.5)
    for trial, run in ((second, "mine"), (third, "another's")):
        trial.set_user_attr("run", run)
    assert missing(study, "mine", 5) == 3  # the first has ended, the second must be done again, the third is at work
    assert resume(study, "mine", {}, alone=False) == 1
    assert study.ask().suggest_float("x", 0, 1) == tried
    assert stopped_in(study) == {second.number}
    assert missing(study, "mine", 5) == 3
    assert resume(study, "mine", {}, alone=True) == 2  # nobody else is there: the third was left by a killed process


def test_two_processes_share_the_work_and_find_the_same(search):
    """The first ten trials are drawn at random, each from its own number: nothing depends on which process is first."""
    one = search(trials=6, folder="1")
    two = search(trials=6, folder="2", options={"jobs": 2})
    assert sorted(one.number for one in two.results.trials) == list(range(6))
    assert figures(one) == figures(two)


def test_workers_of_a_cluster_share_the_work_and_find_the_same(search, tmp_path):
    """They share one journal file, as processes of one machine do."""
    pytest.importorskip("distributed")
    one = search(trials=4, folder="1")
    two = search(trials=4, folder="2", options={"jobs": 2, "engine": "dask"})
    assert figures(one) == figures(two)


def test_a_search_that_is_being_worked_on_is_not_begun_twice(search):
    found = search(trials=1)
    lock = FileLock(found.folder / "running.lock")
    assert lock.acquire()
    try:
        with pytest.raises(UsageError, match=f"Run {found.folder.name} is being worked on by another process"):
            search(trials=2)
    finally:
        lock.release()
    assert len(search(trials=2).results.trials) == 2


def test_a_database_instead_of_the_journal(search, tmp_path, counted):
    url = f"sqlite:///{tmp_path / 'search.db'}"
    journal = search(trials=3, folder="journal")
    found = search(trials=2, storage=url)
    assert not (found.folder / "journal.log").exists()
    counted.clear()
    more = search(trials=3, storage=url)
    assert (len(counted), more.folder) == (1, found.folder)
    assert figures(more) == figures(journal)
    elsewhere = search(trials=4, storage=url, folder="of another machine", options={"jobs": 2})
    assert figures(elsewhere)[:3] == figures(more)
    (name,) = optuna.get_all_study_names(url)
    assert name.startswith("inkproof-searched-")
    assert len(optuna.load_study(study_name=name, storage=url).trials) == 4


@pytest.mark.parametrize(("address", "reason"), BAD_ADDRESSES)
def test_an_address_that_does_not_work_is_told_before_anything_is_written(search, tmp_path, address, reason):
    with pytest.raises(UsageError) as caught:
        search(storage=address.replace("{tmp}", str(tmp_path)))
    assert reason in str(caught.value)
    assert str(caught.value).endswith("such as sqlite:///search.db.")
    assert not (tmp_path / "runs").exists()


def test_a_password_is_not_told(search, tmp_path):
    with pytest.raises(UsageError) as caught:
        search(storage="nonsense://me:secret@host/name")
    assert "secret" not in str(caught.value)


def test_rows_survive_the_journal():
    from hypothesis import given
    from hypothesis import strategies as st

    from pipeline.jobs.tuning.trials import Score

    @given(st.lists(st.booleans(), min_size=1, max_size=300))
    def check(wrong):
        score = Score((0.5, 0.75), (1.0, 0.25), np.array(wrong))
        trial = optuna.trial.create_trial(value=0.5, user_attrs={trials.FOUND: trials.pack(score)})
        found = trials.unpack(trial, len(wrong))
        assert (found.accuracies, found.log_losses) == (score.accuracies, score.log_losses)
        np.testing.assert_array_equal(found.wrong, wrong)

    check()


def test_a_full_disk_is_told_and_the_search_can_go_on(search, monkeypatch):
    search(trials=1)
    with monkeypatch.context() as full:

        def append_logs(self, logs):
            raise OSError(28, "No space left on device")

        full.setattr(optuna.storages.journal.JournalFileBackend, "append_logs", append_logs)
        with pytest.raises(
            StorageError, match=r"journal\.log could not be read or written \(.*No space left on device"
        ):
            search(trials=2)
    assert len(search(trials=2).results.trials) == 2


@pytest.mark.parametrize(
    "line", ["{", "7", '{"op_code": 4}', '{"op_code": 5, "trial_id": [], "state": 9, "worker_id": 1}']
)
def test_a_damaged_journal_is_told(search, line):
    journal = search(trials=1).folder / "journal.log"
    with journal.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(StorageError, match=r"The trials in .*journal\.log could not be read or written"):
        search(trials=1)
