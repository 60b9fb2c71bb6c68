"""A submission made once: sent, found again by its id, and its score.

The client's exit code lies both ways. So each submission carries an id in its message; it is written into
the ledger before the client starts, and only Kaggle's own list says whether it was made.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import KaggleError, SubmissionError, UsageError
from pipeline.kaggle.client import LIMITS, Limits, run_client
from pipeline.kaggle.faults import ClientError, Kind, ask, kind_of
from pipeline.kaggle.fetch import OTHER_SPLIT_NOTE
from pipeline.runs.ledger import Ledger, Submission
from pipeline.storage import FileLock, sha256_file

if TYPE_CHECKING:
    from pipeline.dataset import Competition

MESSAGE_LENGTH = 300  # more might be cut at Kaggle, and the id with it
LISTED = 100  # submissions looked through for an id, the newest first
# Answers that say for certain that nothing was made.
REFUSALS = (Kind.SIGN_IN, Kind.FORBIDDEN, Kind.NOT_FOUND, Kind.BUSY)


@dataclass(frozen=True)
class Listed:
    """A submission as Kaggle lists it. status: PENDING, COMPLETE or ERROR."""

    reference: int
    file: str
    date: str
    message: str
    status: str
    public_score: float | None


def submit(
    file: Path | str,
    message: str,
    *,
    slug: str,
    ledger: Ledger,
    confirm: Callable[[str], bool],
    limits: Limits = LIMITS,
    wait: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> Submission | None:
    """Send `file`, which has been checked, to competition `slug`, and wait for its score.

    A file whose submission is still unconfirmed or unscored is not sent again: the call goes on where the
    last one stopped. One that has its answer is sent again only if confirm(question) says so; None then
    means that nothing was sent. `say` gets a line for each step. Raises KaggleError when the submission
    was not made, cannot be confirmed, or has no score within limits.score; SubmissionError when Kaggle
    could not score it.
    """
    if len(message) > MESSAGE_LENGTH:
        raise UsageError(f"-m takes at most {MESSAGE_LENGTH} characters, got {len(message)}: shorten it.")
    lock = FileLock(ledger.folder / "submit.lock")
    if not lock.acquire():
        raise KaggleError("Another submit is under way: wait until it ends, then type the command again.")
    try:
        file_hash = sha256_file(file)
        settled = _settle(slug, ledger, limits)
        earlier = [one for one in ledger.submissions(slug, file_hash) if one.status != "failed"]
        if earlier and (earlier[0].status == "pending" or earlier[0].id in settled):
            submission = earlier[0]
            say(f"This file is at Kaggle already, as {submission.id}: it is not sent again.")
        else:
            if earlier and not confirm(_question(earlier[0])):
                return None
            say(_allowance(slug, limits))
            submission = _send(file, message, file_hash, slug, ledger, limits)
            say(f"Submitted as {submission.id}; Kaggle lists it.")
    finally:
        lock.release()
    if wait and submission.status == "pending":
        submission = wait_for_score(submission, ledger, limits)
    if submission.status == "error":
        raise SubmissionError(
            f"Kaggle could not score {file} (submission {submission.id}, status ERROR): see the reason at "
            f"https://www.kaggle.com/competitions/{slug}/submissions."
        )
    return submission


def require_kaggle_data(competition: Competition) -> None:
    """Raises SubmissionError when the data is not what Kaggle scores: the sample, or another split."""
    if competition.is_sample or (competition.source / OTHER_SPLIT_NOTE).exists():
        what = competition.name if competition.is_sample else "MNIST's own split from OpenML"
        raise SubmissionError(
            f"{competition.source} holds {what}, which Kaggle cannot score: bring Kaggle's files with "
            f"`python main.py fetch` and train on them first."
        )


def wait_for_score(submission: Submission, ledger: Ledger, limits: Limits = LIMITS) -> Submission:
    """Ask until Kaggle has scored or refused it. A question that fails for the moment is asked again."""
    deadline = time.monotonic() + limits.score
    while True:
        left = deadline - time.monotonic()
        try:
            listed = list_submissions(submission.competition, min(limits.call, max(left, 1)))
        except ClientError as error:
            if error.kind in REFUSALS and error.kind is not Kind.BUSY:
                raise
            listed = []
        submission = _record(submission, listed, ledger)
        if submission.status != "pending":
            return submission
        if time.monotonic() + limits.poll > deadline:
            raise KaggleError(
                f"Submission {submission.id} is at Kaggle, but has no score after {limits.score:,.0f} s: "
                f"type the same command again later, it waits on and sends nothing twice."
            )
        time.sleep(limits.poll)


def list_submissions(slug: str, time_limit: float) -> list[Listed]:
    """Your newest submissions, as Kaggle lists them. Raises ClientError."""
    command = ["competitions", "submissions", slug, "--format", "json", "--page-size", str(LISTED)]
    rows = ask(command, slug, time_limit=time_limit, doing=f"Reading your submissions to {slug}")
    return [
        Listed(
            reference=int(row["ref"]),
            file=row["fileName"] or "",
            date=row["date"] or "",
            message=row["description"] or "",
            status=str(row["status"]).rpartition(".")[2].upper(),
            public_score=_number(row["publicScore"]),
        )
        for row in rows
    ]


def record_scores(slug: str, listed: list[Listed], ledger: Ledger) -> None:
    """Take over from Kaggle's list what the ledger does not know yet of earlier submissions."""
    for one in ledger.submissions(slug):
        if one.status in ("sending", "pending"):
            _record(one, listed, ledger)


def verdict(public: float, holdout: dict | None) -> str:
    """A public score beside what the holdout had promised: accuracies, 0 to 1."""
    low, high = (holdout or {}).get("low"), (holdout or {}).get("high")
    if low is None or high is None:
        return f"public {public:.5f}"
    place = "below" if public < low else "above" if public > high else "inside"
    return f"public {public:.5f}: {place} what the holdout promised ({low:.5f} to {high:.5f})"


def _settle(slug: str, ledger: Ledger, limits: Limits) -> set[str]:
    """Look for submissions that an earlier call could not confirm; the ids of those that were made."""
    unsettled = [one for one in ledger.submissions(slug) if one.status == "sending"]
    made = set()
    for pause in limits.looks:
        if not unsettled:
            break
        time.sleep(pause)
        listed = list_submissions(slug, limits.call)
        made |= {one.id for one in unsettled if _record(one, listed, ledger).status != "sending"}
        unsettled = [one for one in unsettled if one.id not in made]
    for one in unsettled:
        ledger.update_submission(one.id, "failed")
    return made


def _allowance(slug: str, limits: Limits) -> str:
    """How many submissions are left today, in words. Raises KaggleError when there is none."""
    command = ["competitions", "submission-limits", slug, "--json"]
    doing = f"Asking how many submissions to {slug} are left today"
    try:
        answer = ask(command, slug, time_limit=limits.call, doing=doing)
    except ClientError as error:
        if error.kind not in (Kind.NOT_FOUND, Kind.SERVICE, Kind.OTHER):
            raise
        return "Kaggle does not say how many submissions are left today."
    if not isinstance(answer, dict):
        return "Kaggle does not say how many submissions are left today."
    left, today = int(answer.get("numAllowedNow") or 0), int(answer.get("numToday") or 0)
    # All zero is someone who has not joined yet, not someone who has used up the day.
    if left == 0 and today > 0:
        raise KaggleError(
            f"None of today's submissions to {slug} is left ({today} made): try again after 00:00 UTC, when "
            f"the count begins anew."
        )
    return f"{left} submissions are left today." if left else "This is the first submission here."


def _send(
    file: Path | str,
    message: str,
    file_hash: str,
    slug: str,
    ledger: Ledger,
    limits: Limits,
) -> Submission:
    """Start the client once, then believe only Kaggle's list."""
    id = f"inkproof-{secrets.token_hex(4)}"
    ledger.add_submission(id, slug, file, file_hash, message)
    (submission,) = [one for one in ledger.submissions(slug, file_hash) if one.id == id]
    outcome = run_client(
        ["competitions", "submit", slug, f"--file={file}", f"--message={message} [{id}]", "-q"],
        time_limit=limits.upload,
    )
    kind = kind_of(outcome)
    failure = None if kind is None else ClientError(kind, outcome, slug, f"Submitting {file}")
    try:
        for pause in limits.looks[:1] if kind in REFUSALS else limits.looks:
            time.sleep(pause)
            submission = _record(submission, list_submissions(slug, limits.call), ledger)
            if submission.status != "sending":
                return submission
    except ClientError as error:
        if kind in REFUSALS:
            raise failure from error
        raise KaggleError(
            f"Whether submission {id} was made is not known, as Kaggle's list of your submissions cannot be "
            f"read: type the same command again in some minutes, it looks before it sends. {failure or error}"
        ) from error
    if failure is None:
        raise KaggleError(
            f"The kaggle client reported success, but Kaggle does not list submission {id}: type the same "
            f"command again in some minutes, it looks once more before it sends."
        )
    raise failure


def _record(submission: Submission, listed: list[Listed], ledger: Ledger) -> Submission:
    """Take over what Kaggle's list says of a submission, if it is there."""
    found = next((one for one in listed if submission.id in one.message), None)
    if found is None:
        return submission
    status = {"COMPLETE": "complete", "ERROR": "error"}.get(found.status, "pending")
    ledger.update_submission(submission.id, status, reference=found.reference, public_score=found.public_score)
    return next(one for one in ledger.submissions(submission.competition) if one.id == submission.id)


def _question(earlier: Submission) -> str:
    score = f"public {earlier.public_score:.5f}" if earlier.public_score is not None else earlier.status
    return f"This very file was submitted on {earlier.created[:10]} ({score}). Send it again?"


def _number(text: object) -> float | None:
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
