"""Submitting with the real client: one submission, whatever fails, and the right sentence."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from kaggle_archive import KEY
from kaggle_server import SIGNATURE, Fault

from pipeline.errors import KaggleError, SubmissionError, UsageError
from pipeline.kaggle import submit as module
from pipeline.kaggle.faults import ClientError
from pipeline.kaggle.submit import submit, verdict
from pipeline.storage import sha256_file

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def send(send_asking_the_limit, monkeypatch):
    """The same without the question for the day's limit, which has tests of its own."""
    monkeypatch.setattr(module, "_allowance", lambda slug, limits: "3 submissions are left today.")
    return send_asking_the_limit


@pytest.fixture
def send_asking_the_limit(signed_in, submission, ledger, limits):
    """submit() with everything filled in; nobody is ever asked."""

    def never(question: str) -> bool:
        raise AssertionError(f"asked: {question}")

    def send(file=submission, message="first try", **settings):
        usual = {"slug": "digit-recognizer", "ledger": ledger, "confirm": never, "limits": limits}
        return submit(file, message, **usual | settings)

    return send


def test_a_submission_and_its_score(server, send_asking_the_limit, ledger, submission):
    said = []
    server.pending_looks = 2
    made = send_asking_the_limit(say=said.append)
    assert (made.status, made.public_score) == ("complete", 0.98614)
    assert ledger.submissions() == [made]
    assert server.uploads == [submission.read_bytes()]
    assert server.submissions[0]["description"] == f"first try [{made.id}]"
    assert said[0] == "3 submissions are left today."
    # 0: the day's limit; then once what makes it, then looks until the score is there.
    assert server.calls == [
        "GetSubmissionLimits", "StartSubmissionUpload", "PUT", "CreateSubmission",
        "ListSubmissions", "ListSubmissions", "ListSubmissions",
    ]  # fmt: skip


def test_without_waiting(server, send):
    server.pending_looks = 9
    assert send(wait=False).status == "pending"
    assert server.calls.count("ListSubmissions") == 1


def test_a_message_that_looks_like_an_option(server, send):
    assert send(message="--sandbox").status == "complete"
    assert server.submissions[0]["description"].startswith("--sandbox [")


def test_a_message_that_is_too_long(server, send):
    with pytest.raises(UsageError, match="at most 300 characters, got 301"):
        send(message="x" * 301)
    assert server.calls == []


def test_the_same_file_again_asks_first(server, send):
    first = send()
    questions = []

    def no(question: str) -> bool:
        questions.append(question)
        return False

    assert send(confirm=no) is None
    assert "public 0.98614" in questions[0]
    assert len(server.submissions) == 1
    second = send(confirm=lambda question: True)
    assert second.id != first.id
    assert len(server.submissions) == 2


def test_no_submission_is_left_today(server, send_asking_the_limit):
    server.limits |= {"numToday": 5, "numAllowedNow": 0}
    with pytest.raises(KaggleError, match=r"None of today's submissions .* 00:00 UTC"):
        send_asking_the_limit()
    assert "StartSubmissionUpload" not in server.calls


def test_all_zero_limits_are_someone_new(server, send_asking_the_limit):
    server.limits |= {"numToday": 0, "numTotal": 0, "numAllowedNow": 0}
    assert send_asking_the_limit().status == "complete"


def test_a_limit_that_is_not_told_does_not_stop(server, send_asking_the_limit):
    server.faults["GetSubmissionLimits"] = Fault(500)
    assert send_asking_the_limit().status == "complete"


WORDS = {
    401: "refused the credentials",
    403: "accept the rules",
    404: "no open competition",
    429: "wait some minutes",
    500: "on Kaggle's side",
    503: "on Kaggle's side",
}


@pytest.mark.parametrize("status", WORDS)
@pytest.mark.parametrize("call", ["StartSubmissionUpload", "CreateSubmission"])
def test_a_refused_call(server, send, ledger, call, status):
    server.faults[call] = Fault(status, headers={"Retry-After": "1"}, as_json=status in (403, 429))
    with pytest.raises(KaggleError, match=WORDS[status]):
        send()
    assert server.submissions == []
    # Only what Kaggle refused is surely not made.
    known = "not known" if status >= 500 else "failed"
    assert [one.status for one in ledger.submissions()] == [known]
    assert server.calls.count(call) == 1, "a refused call must not be repeated"


def test_after_a_refusal_the_same_command_sends_it(server, send, ledger):
    server.faults["CreateSubmission"] = Fault(429)
    with pytest.raises(KaggleError):
        send()
    server.faults.clear()
    assert send().status == "complete"
    assert len(server.submissions) == 1
    assert [one.status for one in ledger.submissions()] == ["complete", "failed"]


def test_what_may_have_been_made_is_sent_again_only_after_a_question(server, send, ledger):
    server.faults["CreateSubmission"] = Fault(500)
    with pytest.raises(KaggleError, match=r"is not known, as Kaggle did not list it within 0 s.*on Kaggle's side"):
        send()
    server.faults.clear()
    questions = []

    def answer(question: str, yes: bool) -> bool:
        questions.append(question)
        return yes

    assert send(confirm=lambda question: answer(question, False)) is None
    assert server.submissions == []
    assert re.search(r"is not known: Kaggle did not list it within 0 s.*cost a second of the day's", questions[0])
    assert send(confirm=lambda question: answer(question, True)).status == "complete"
    assert len(server.submissions) == 1
    assert [one.status for one in ledger.submissions()] == ["complete", "not known"]


def test_made_and_reset_while_kaggles_list_lags(server, send, ledger, limits):
    """What cost two of a day's five: the submission is made, the connection breaks, and the list hides it."""
    server.faults["CreateSubmission"] = Fault("reset", after_work=True)
    server.unlisted_looks = 3
    waited = []
    patient = replace(limits, listed=120, on_wait=waited.append)
    assert send(limits=patient).status == "complete"
    assert len(server.submissions) == 1
    assert any(
        re.search(r"does not list inkproof-\w+ so far; asked again until \d\d:\d\d:\d\d UTC", text) for text in waited
    )


def test_typed_again_while_kaggles_list_still_lags(server, send, ledger, submission, limits):
    id = "inkproof-0badcafe"
    ledger.add_submission(id, "digit-recognizer", submission, sha256_file(submission), "first try")
    server.answer("CreateSubmission", {"submissionDescription": f"first try [{id}]"})
    server.unlisted_looks = 3
    said = []
    assert send(limits=replace(limits, listed=120), say=said.append).id == id
    assert [text[:8] for text in said] == ["Whether ", "This fil"]
    assert len(server.submissions) == 1


@pytest.mark.parametrize("status", [401, 429])
def test_a_refused_question_for_the_limit_stops_before_the_upload(server, send_asking_the_limit, ledger, status):
    server.faults["GetSubmissionLimits"] = Fault(status)
    with pytest.raises(KaggleError, match=WORDS[status]):
        send_asking_the_limit()
    assert server.calls == ["GetSubmissionLimits"]
    assert ledger.submissions() == []


def test_a_mistyped_competition(server, send_asking_the_limit):
    with pytest.raises(KaggleError, match="no open competition digit-recogniser"):
        send_asking_the_limit(slug="digit-recogniser")
    assert server.uploads == []


@pytest.mark.parametrize("how", [500, "reset"])
def test_a_submission_that_was_made_though_the_client_failed(server, send, how):
    server.faults["CreateSubmission"] = Fault(how, after_work=True)
    assert send().status == "complete"
    assert len(server.submissions) == 1


def test_an_upload_that_fails_is_no_success(server, send):
    # Client 2.2.4 ends with exit code 0 here, 2.2.5 with 1.
    server.faults["PUT"] = Fault(403)
    with pytest.raises(ClientError, match="did not arrive"):
        send()
    assert server.submissions == []


def test_an_upload_that_is_busy_is_repeated_by_the_client(server, send):
    server.faults["PUT"] = Fault(503, times=1, headers={"Retry-After": "1"})
    assert send().status == "complete"
    assert server.calls.count("PUT") == 2
    assert len(server.submissions) == 1


@pytest.mark.parametrize("how", ["reset", "stall"])
def test_an_upload_that_never_ends(server, send, ledger, limits, patience, how):
    server.faults["PUT"] = Fault(how)
    started = time.monotonic()
    with pytest.raises(KaggleError, match=r"is not known.*did not answer in time"):
        send(limits=replace(limits, upload=patience))
    assert time.monotonic() - started < patience + 60, "the client's own retries take 370 s"
    assert [one.status for one in ledger.submissions()] == ["not known"]
    server.faults.clear()
    assert send(confirm=lambda question: True).status == "complete"
    assert len(server.submissions) == 1


def test_an_answer_that_never_comes_though_the_submission_was_made(server, send, limits, patience):
    server.faults["CreateSubmission"] = Fault("stall", after_work=True)
    assert send(limits=replace(limits, upload=patience)).status == "complete"
    assert len(server.submissions) == 1


def test_not_knowing_is_said_and_settled_by_the_next_call(server, send, ledger):
    server.faults["ListSubmissions"] = Fault(500)
    with pytest.raises(KaggleError, match=r"is not known.*it looks before it sends"):
        send()
    assert [one.status for one in ledger.submissions()] == ["not known"]
    server.faults.clear()
    said = []
    assert send(say=said.append).status == "complete"
    assert "not sent again" in said[-1]
    assert len(server.submissions) == 1


def test_a_submission_that_is_listed_late_is_looked_for_again(server, send, limits):
    server.unlisted_looks = 1
    assert send(limits=replace(limits, listed=120)).status == "complete"


def test_success_that_kaggle_does_not_list(server, send, monkeypatch):
    monkeypatch.setattr(server, "answer", lambda call, body: ANSWERS[call])
    with pytest.raises(KaggleError, match=r"is not known.*reported success"):
        send()


ANSWERS = {
    "GetSubmissionLimits": {},
    "StartSubmissionUpload": {"token": "t", "createUrl": "http://localhost/storage/upload"},
    "CreateSubmission": {"message": "Successfully submitted", "ref": 1},
    "ListSubmissions": {},
}


def test_a_submission_that_kaggle_cannot_score(server, send, ledger):
    server.verdict = {"status": "ERROR", "publicScore": ""}
    with pytest.raises(SubmissionError, match=r"could not score .*competitions/digit-recognizer/submissions"):
        send()
    assert [one.status for one in ledger.submissions()] == ["error"]


def test_scoring_that_never_ends_is_waited_for_again_and_not_sent_again(server, send, ledger, limits):
    server.pending_looks = 1_000
    with pytest.raises(KaggleError, match=r"has no score after 1 s: .*sends nothing twice"):
        send(limits=replace(limits, score=1))
    assert [one.status for one in ledger.submissions()] == ["pending"]
    server.pending_looks = 0
    # Not even when everything is answered with yes.
    assert send(confirm=lambda question: True).public_score == 0.98614
    assert len(server.submissions) == 1


def test_a_question_for_the_score_that_fails_is_asked_again(server, send):
    server.pending_looks = 1
    made = send(wait=False)
    server.faults["ListSubmissions"] = Fault(429, times=1)
    assert send().id == made.id


def test_credentials_that_are_refused_while_waiting(server, send):
    server.pending_looks = 1
    send(wait=False)
    server.faults["ListSubmissions"] = Fault(401)
    with pytest.raises(KaggleError, match="refused the credentials"):
        send()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize(
    ("call", "after_work", "how"),
    [
        ("StartSubmissionUpload", False, "SIGKILL"),
        ("PUT", False, "SIGKILL"),
        ("PUT", False, "SIGINT"),
        ("CreateSubmission", True, "SIGKILL"),
        ("ListSubmissions", False, "SIGKILL"),
    ],
)
def test_killed_and_typed_again(server, send, submission, ledger, call, after_work, how):
    server.faults[call] = Fault("stall", times=1, after_work=after_work)
    process = start_submit(submission, ledger.folder)
    assert server.stalled.wait(300)
    process.send_signal(getattr(signal, how))
    process.wait(300)
    assert send(confirm=lambda question: True).status == "complete"
    assert [one["status"] for one in server.submissions] == ["COMPLETE"]


def test_two_at_once(server, send, submission, ledger):
    server.faults["PUT"] = Fault("stall", times=1)
    process = start_submit(submission, ledger.folder)
    assert server.stalled.wait(300)
    with pytest.raises(KaggleError, match="Another submit is under way"):
        send()
    server.released.set()
    process.wait(300)
    assert len(server.submissions) <= 1


def start_submit(file: Path, folder: Path) -> subprocess.Popen:
    code = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from pipeline.kaggle.submit import submit\n"
        "from pipeline.runs.ledger import Ledger\n"
        f"submit({str(file)!r}, 'first try', slug='digit-recognizer', ledger=Ledger({str(folder)!r}),\n"
        "       confirm=lambda question: False)\n"
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-c", code], **quiet)


def test_the_score_beside_the_holdout():
    holdout = {"rows": 4200, "accuracy": 0.985, "low": 0.981, "high": 0.9885}
    inside = "public 0.98614: inside what the holdout promised (0.98100 to 0.98850)"
    assert verdict(0.98614, holdout) == inside
    assert "below what" in verdict(0.98, holdout)
    assert "above what" in verdict(0.99, holdout)
    assert verdict(0.99, None) == "public 0.99000"


def test_secrets_are_nowhere(server, send, tmp_path, capfd):
    messages = []
    for call, how in [("PUT", 403), ("CreateSubmission", 500), ("ListSubmissions", 401)]:
        server.faults = {call: Fault(how)}
        with pytest.raises(KaggleError) as caught:
            send(say=messages.append)
        messages.append(str(caught.value))
    shown = capfd.readouterr()
    everything = "\n".join([shown.out, shown.err, *messages])
    assert messages
    assert KEY not in everything
    assert SIGNATURE not in everything
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
