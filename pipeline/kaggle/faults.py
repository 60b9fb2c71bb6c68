"""What a failure of the kaggle client means, in one sentence that says what to do.

The client's exit code and texts vary with its version, so the cause is read from what they have in
common: the HTTP status, or the words that stand for it. Nothing that it wrote is repeated before
addresses (which are signed) and anything that may be a key are taken out.
"""

import json
import os
import re
import sys
from enum import Enum
from pathlib import Path
from typing import Any

from pipeline.errors import COMMAND, KaggleError
from pipeline.kaggle.client import Limits, Outcome, read_json, run_client

SIGN_IN = """{reason}; sign in, in one of three ways, then type the command again:
  1. python -m kaggle auth login      (opens the browser)
  2. a token from https://www.kaggle.com/settings/api, kept in ~/.kaggle/access_token or in KAGGLE_API_TOKEN
  3. kaggle.json with user name and key, from the same page, put into {folder}
Without an account, `{command} fetch --source openml` brings MNIST."""


class Kind(Enum):
    """What went wrong."""

    SIGN_IN = "no or refused credentials"
    FORBIDDEN = "rules not accepted, phone not verified, or no such competition"
    NOT_FOUND = "no such competition"
    BUSY = "too many requests"
    SERVICE = "Kaggle's own failure"
    NETWORK = "no connection"
    STALLED = "no answer within our limit"
    UPLOAD = "the file did not arrive"
    OTHER = "anything else"


# What may be gone when the command is typed again: what happened, and what to do first.
_TEMPORARY = {
    Kind.BUSY: ("Kaggle had too many requests (429)", "wait some minutes"),
    Kind.SERVICE: ("the fault is on Kaggle's side (status 5xx)", "wait some minutes"),
    Kind.NETWORK: ("the connection broke", "check the network"),
    Kind.STALLED: ("Kaggle did not answer in time", "check the network"),
    Kind.UPLOAD: ("the file did not arrive at Kaggle", "check the network"),
}

# The first that matches wins. A status in an HTTP error's text is surer than any word.
_SIGNS: tuple[tuple[Kind, str], ...] = (
    (Kind.SIGN_IN, r"\b401 Client Error|Authentication required"),
    (Kind.FORBIDDEN, r"\b403 Client Error"),
    (Kind.NOT_FOUND, r"\b404 Client Error|Could not find competition"),
    (Kind.BUSY, r"\b429 Client Error"),
    (Kind.SERVICE, r"\b5\d\d Server Error"),
    (Kind.UPLOAD, r"Could not submit to competition"),
    (Kind.NETWORK, r"Max retries exceeded|ConnectionError|Connection aborted|Connection reset|ProtocolError"),
    (Kind.NETWORK, r"NameResolution|IncompleteRead|Connection broken|ProxyError|SSLError|Read timed out"),
    (Kind.FORBIDDEN, r"(?i)accept.{0,40}rules|permission|forbidden|don't have access"),
    (Kind.SIGN_IN, r"(?i)unauthenticated|unauthorized"),
    (Kind.NOT_FOUND, r"(?i)not found"),
    (Kind.BUSY, r"(?i)too many requests|rate limit"),
    (Kind.SERVICE, r"(?i)internal (server )?error|unavailable|problem on Kaggle's side"),
)


def kind_of(outcome: Outcome) -> Kind | None:
    """Why the client failed; None when it did not."""
    if outcome.code is None:
        return Kind.STALLED
    text = f"{outcome.err}\n{outcome.out}"
    # Client 2.2.4 ends with 0 after these two.
    failed = "Could not submit to competition" in text or "Could not find competition" in text
    if outcome.code == 0 and not failed:
        return None
    return next((kind for kind, sign in _SIGNS if re.search(sign, text)), Kind.OTHER)


def call(arguments: list[str], slug: str, *, doing: str, **limits: Any) -> Outcome:
    """What the client says, run within limits as run_client takes them. Raises ClientError where it fails."""
    outcome = run_client(arguments, **limits)
    kind = kind_of(outcome)
    if kind is not None:
        raise ClientError(kind, outcome, slug, doing)
    return outcome


def ask(arguments: list[str], slug: str, *, limits: Limits, doing: str) -> object:
    """The client's answer to a question, read from JSON; [] where it answers in words. Raises ClientError."""
    outcome = call(arguments, slug, doing=doing, time_limit=limits.call, on_wait=limits.on_wait)
    return read_json(outcome.out) or []


class ClientError(KaggleError):
    """A failure of the client. `kind` says which; the message is the sentence for the user."""

    def __init__(self, kind: Kind, outcome: Outcome, slug: str, doing: str) -> None:
        super().__init__(_sentence(kind, outcome, slug, doing))
        self.kind = kind


def _sentence(kind: Kind, outcome: Outcome, slug: str, doing: str) -> str:
    page = f"https://www.kaggle.com/competitions/{slug}"
    if kind is Kind.SIGN_IN:
        return _sign_in_sentence()
    if kind is Kind.FORBIDDEN:
        return (
            f"{doing} failed, Kaggle refuses {slug} (403): join and accept the rules at {page}/rules, verify "
            f"your phone number at https://www.kaggle.com/settings, and check that the name is spelt right."
        )
    if kind is Kind.NOT_FOUND:
        return (
            f"{doing} failed, Kaggle has no open competition {slug} (404): check the name, it is the last "
            f"part of the competition's address {page}."
        )
    if kind in _TEMPORARY:
        what, first = _TEMPORARY[kind]
        return f"{doing} failed, {what}: {first}, then type the command again."
    # A kaggle.json that is JSON, but no object, makes the client fall over.
    if _credentials()[1] is not None:
        return _sign_in_sentence()
    lines = [line for line in (outcome.err or outcome.out).splitlines() if line.strip()]
    said = f", the kaggle client said {redact(lines[-1])!r}" if lines else ""
    return f"{doing} failed (exit {outcome.code}){said}: try again, or `python -m pip install -U kaggle`."


def redact(text: str, limit: int = 160) -> str:
    """`text` on one line without addresses, and without keys, tokens and what looks like them."""
    for name in ("KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        if os.environ.get(name):
            text = text.replace(os.environ[name], "(key)")
    text = re.sub(r"\w+://\S+", "(address)", text)
    text = re.sub(r"(?i)\b(basic|bearer)\s+\S+", r"\1 (key)", text)
    text = re.sub(r"[\w+/=.~-]{20,}", "(key)", text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _sign_in_sentence() -> str:
    source, complaint = _credentials()
    if source is not None:
        return (
            f"Kaggle refused the credentials in {source} (401): make a new token at "
            f"https://www.kaggle.com/settings/api and put it in their place."
        )
    # The client looks into ~/.config/kaggle only where there is no ~/.kaggle.
    folder = os.environ.get("KAGGLE_CONFIG_DIR") or "~/.kaggle/"
    return SIGN_IN.format(reason=complaint or "Kaggle does not know who you are", folder=folder, command=COMMAND)


def _credentials() -> tuple[str | None, str | None]:
    """Where the client finds credentials, in its own order, and what is wrong with a kaggle.json."""
    if os.environ.get("KAGGLE_API_TOKEN"):
        return "KAGGLE_API_TOKEN", None
    home = Path.home() / ".kaggle"
    for name in ("access_token", "access_token.txt"):
        if (home / name).is_file() and (home / name).stat().st_size:
            return str(home / name), None
    if os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY"):
        return "KAGGLE_USERNAME and KAGGLE_KEY", None
    path = _config_folder() / "kaggle.json"
    complaint = None
    if path.is_file():
        try:
            if {"username", "key"} <= set(json.loads(path.read_text(encoding="utf-8"))):
                return str(path), None
        except (OSError, ValueError, TypeError):
            pass
        complaint = f'{path} does not hold {{"username": …, "key": …}} as JSON'
    if (home / "credentials.json").is_file() and complaint is None:
        return str(home / "credentials.json"), None
    return None, complaint


def _config_folder() -> Path:
    if os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(os.environ["KAGGLE_CONFIG_DIR"])
    folder = Path.home() / ".kaggle"
    if sys.platform.startswith("linux") and not folder.exists():
        base = os.environ.get("XDG_CONFIG_HOME")
        return (Path(base) if base else Path.home() / ".config") / "kaggle"
    return folder
