"""A submission made once: sent, found again by its id, and its score.

The client's exit code lies both ways. So each submission carries an id in its message; it is written into
the ledger before the client starts, and only Kaggle's own list says whether it was made.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.dataset.slug import same_slug
from pipeline.errors import COMMAND, KaggleError, SubmissionError, UsageError, counted
from pipeline.kaggle.client import LIMITS, Limits, run_client
from pipeline.kaggle.faults import ClientError, Kind, ask, kind_of
from pipeline.kaggle.fetch import OTHER_SPLIT_NOTE
from pipeline.runs.ledger import Ledger, Submission
from pipeline.storage import FileLock, sha256_file

if TYPE_CHECKING:
    from pipeline.dataset import Competition

MESSAGE_LENGTH = 300  # more might be cut at Kaggle, and the id with it
LISTED = 100  # submissions looked through for an id, the newest first
REFUSALS = (Kind.SIGN_IN, Kind.FORBIDDEN, Kind.NOT_FOUND)
# What says for certain that nothing was made.
NOTHING_MADE = (*REFUSALS, Kind.BUSY, Kind.UPLOAD)


@dataclass(frozen=True)
class Listed:
    """A submission as Kaggle lists it. status: PENDING, COMPLETE or ERROR."""

    reference: int
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

    A file that waits at Kaggle for its score is not sent again: the call goes on where the last one stopped. One
    whose last sending has an outcome that is not known is looked for until it must have shown (limits.listed). After
    that, or where it has its score, it is sent again only if confirm(question) says so; None then means that nothing
    was sent. `say` gets a line for each step. Raises KaggleError when the submission was not made, cannot be
    confirmed, or has no score within limits.score; SubmissionError when Kaggle could not score it.
    """
    if len(message) > MESSAGE_LENGTH:
        raise UsageError(f"-m takes at most {MESSAGE_LENGTH} characters, got {len(message)}: shorten it.")
    lock = FileLock(ledger.folder / "submit.lock")
    if not lock.acquire():
        raise KaggleError("Another submit is under way: wait until it ends, then type the command again.")
    try:
        file_hash = sha256_file(file)
        earlier = [one for one in ledger.submissions(slug, file_hash) if one.status != "failed"]
        unknown = [one for one in earlier if one.status == "not known"]
        submission = next((one for one in earlier if one.status == "pending"), None)
        if submission is None and unknown:
            say(f"Whether {unknown[0].id} was made is not known; Kaggle's list is asked before anything is sent.")
            submission = await_listed(unknown, ledger, limits)
        if submission is not None:
            say(f"This file is at Kaggle already, as {submission.id}: it is not sent again.")
        else:
            if earlier and not confirm(_question(earlier[0], limits)):
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


def competition_of(file: Path | str, data: Competition, ledger: Ledger) -> str:
    """The slug of the competition that `file`, answers to the test rows of `data`, is to be sent to.

    Raises SubmissionError where the data is not what Kaggle scores (the sample, another split), where the run that
    wrote the file saw other data, and where nobody named the competition.
    """
    if data.is_sample or (data.source / OTHER_SPLIT_NOTE).exists():
        what = data.name if data.is_sample else "MNIST's own split from OpenML"
        raise SubmissionError(
            f"{data.source} holds {what}, which Kaggle cannot score: bring Kaggle's files with "
            f"`{COMMAND} fetch` and train on them first."
        )
    run = ledger.run_that_wrote(sha256_file(file))
    if run is not None and run.data_fingerprint != data.fingerprint:
        raise SubmissionError(
            f"{file} was written by run {run.id} for the data {run.data_name}, and {data.source} holds {data.name}: "
            f"name that run's data with --data."
        )
    slug = data.slug or (run.competition if run else None)
    if slug is None:
        raise SubmissionError(
            f"Nobody named the competition that {data.source} belongs to, and nothing was sent: name it with "
            f"--competition, or bring its files with `{COMMAND} fetch --competition NAME`."
        )
    if run is not None and run.competition is not None and not same_slug(run.competition, slug):
        raise SubmissionError(
            f"{file} was written by run {run.id} for {run.competition}, found --competition {slug}: leave it out."
        )
    return slug


def wait_for_score(submission: Submission, ledger: Ledger, limits: Limits = LIMITS) -> Submission:
    """Ask until Kaggle has scored or refused it. A question that fails for the moment is asked again."""
    deadline = time.monotonic() + limits.score
    while True:
        left = deadline - time.monotonic()
        try:
            listed = list_submissions(submission.competition, replace(limits, call=min(limits.call, max(left, 1))))
        except ClientError as error:
            if error.kind in REFUSALS:
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
        limits.on_wait(f"No score yet; asked again for {left:.0f} s")
        time.sleep(limits.poll)


def list_submissions(slug: str, limits: Limits) -> list[Listed]:
    """Your newest submissions, as Kaggle lists them. Raises ClientError."""
    command = ["competitions", "submissions", slug, "--format", "json", "--page-size", str(LISTED)]
    rows = ask(command, slug, limits=limits, doing=f"Reading your submissions to {slug}")
    return [
        Listed(
            reference=int(row["ref"]),
            message=row["description"] or "",
            status=str(row["status"]).rpartition(".")[2].upper(),
            public_score=_number(row["publicScore"]),
        )
        for row in rows
    ]


def record_scores(slug: str, listed: list[Listed], ledger: Ledger) -> None:
    """Take over from Kaggle's list what the ledger does not know yet of earlier submissions."""
    for one in ledger.submissions(slug):
        if one.status in ("not known", "pending"):
            _record(one, listed, ledger)


def verdict(public: float, holdout: dict | None) -> str:
    """A public score beside what the holdout had promised: accuracies, 0 to 1."""
    low, high = (holdout or {}).get("low"), (holdout or {}).get("high")
    if low is None or high is None:
        return f"public {public:.5f}"
    place = "below" if public < low else "above" if public > high else "inside"
    return f"public {public:.5f}: {place} what the holdout promised ({low:.5f} to {high:.5f})"


def await_listed(submissions: Sequence[Submission], ledger: Ledger, limits: Limits) -> Submission | None:
    """Ask for Kaggle's list until one of these is in it, or until the newest must have shown; None without one.

    submissions: of one competition, the newest first. Raises KaggleError where the list cannot be read to the end.
    """
    newest = submissions[0]
    deadline = datetime.fromisoformat(newest.updated) + timedelta(seconds=limits.listed)
    while True:
        is_last = datetime.now(UTC) >= deadline
        try:
            listed = list_submissions(newest.competition, limits)
        except ClientError as error:
            if is_last or error.kind in REFUSALS:
                raise KaggleError(
                    f"Whether submission {newest.id} was made is not known, as Kaggle's list of your submissions "
                    f"cannot be read: type the same command again in some minutes, it looks before it sends. {error}"
                ) from error
            listed = []
        recorded = [_record(one, listed, ledger) for one in submissions]
        made = next((one for one in recorded if one.status != "not known"), None)
        if made is not None or is_last:
            return made
        limits.on_wait(f"Kaggle does not list {newest.id} so far; asked again until {deadline:%H:%M:%S} UTC")
        time.sleep(min(limits.poll, max((deadline - datetime.now(UTC)).total_seconds(), 0)))


def _allowance(slug: str, limits: Limits) -> str:
    """How many submissions are left today, in words. Raises KaggleError when there is none."""
    command = ["competitions", "submission-limits", slug, "--json"]
    doing = f"Asking how many submissions to {slug} are left today"
    try:
        answer = ask(command, slug, limits=limits, doing=doing)
    except ClientError as error:
        if error.kind not in (Kind.NOT_FOUND, Kind.SERVICE, Kind.OTHER):
            raise
        answer = None
    if not isinstance(answer, dict):
        return "Kaggle does not say how many submissions are left today."
    left, today = int(answer.get("numAllowedNow") or 0), int(answer.get("numToday") or 0)
    # All zero is someone who has not joined yet, not someone who has used up the day.
    if left == 0 and today > 0:
        raise KaggleError(
            f"None of today's submissions to {slug} is left ({today} made): try again after 00:00 UTC, when "
            f"the count begins anew."
        )
    if left == 0:
        return "This is the first submission here."
    return f"{counted(left, 'submission')} {'is' if left == 1 else 'are'} left today."


def _send(file: Path | str, message: str, file_hash: str, slug: str, ledger: Ledger, limits: Limits) -> Submission:
    """Start the client once, then believe only Kaggle's list."""
    id = f"inkproof-{secrets.token_hex(4)}"
    ledger.add_submission(id, slug, file, file_hash, message)
    words = ["competitions", "submit", slug, f"--file={file}", f"--message={message} [{id}]", "-q"]
    outcome = run_client(words, time_limit=limits.upload, on_wait=limits.on_wait)
    kind = kind_of(outcome)
    failure = None if kind is None else ClientError(kind, outcome, slug, f"Submitting {file}")
    if kind in NOTHING_MADE:
        ledger.update_submission(id, "failed")
        raise failure
    made = await_listed([ledger.update_submission(id, "not known")], ledger, limits)
    if made is None:
        why = failure or "The kaggle client reported success."
        raise KaggleError(
            f"Whether submission {id} was made is not known, as Kaggle did not list it within {limits.listed:.0f} s: "
            f"look at https://www.kaggle.com/competitions/{slug}/submissions, or type the same command again later; "
            f"it looks once more, and asks before it sends. {why}"
        ) from failure
    return made


def _record(submission: Submission, listed: list[Listed], ledger: Ledger) -> Submission:
    """Take over what Kaggle's list says of a submission, if it is there."""
    found = next((one for one in listed if submission.id in one.message), None)
    if found is None:
        return submission
    status = {"COMPLETE": "complete", "ERROR": "error"}.get(found.status, "pending")
    numbers = {"reference": found.reference, "public_score": found.public_score}
    return ledger.update_submission(submission.id, status, **numbers)


def _question(earlier: Submission, limits: Limits) -> str:
    if earlier.status == "not known":
        return (
            f"Whether {earlier.id}, this very file, was made on {earlier.created[:16].replace('T', ' ')} UTC is not "
            f"known: Kaggle did not list it within {limits.listed:.0f} s. Sending it again may cost a second of the "
            f"day's submissions. Send it again?"
        )
    score = f"public {earlier.public_score:.5f}" if earlier.public_score is not None else earlier.status
    return f"This very file was submitted on {earlier.created[:10]} ({score}). Send it again?"


def _number(text: object) -> float | None:
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
