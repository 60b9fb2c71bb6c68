"""What commands that talk to Kaggle share: a question before something is sent, and a line while it is waited."""

import sys
import time

import click

SPACING = 5.0  # seconds between two lines where they would stand below one another


def confirm(question: str, *, yes: bool) -> bool:
    """The answer to `question`, which --yes gives beforehand. Raises UsageError where nobody can be asked."""
    from pipeline.errors import UsageError

    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{question} There is nobody to ask: add --yes to send it.")
    return click.confirm(question)


class Waiting:
    """Says on stderr what is waited for: on one line of a terminal, elsewhere a line every few seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, text: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{text}\r", nl=False, err=True)
        elif time.monotonic() - self._last >= SPACING:
            self._last = time.monotonic()
            click.echo(text, err=True)
