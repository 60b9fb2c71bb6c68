"""The command line: one file a command, each of which parses, calls and prints, and nothing else.

A command's file is imported only when the command is used: the first line of output must not wait for
libraries that another command needs.
"""

import atexit
import errno
import importlib
import os
import signal
import sys
import threading
import time

import click

import pipeline
from pipeline.cli.blas import prefer_wide_kernels
from pipeline.errors import COMMAND, InkproofError, UsageError

# Name → the line in `python main.py --help`. The file is pipeline/cli/<name>.py, its object `command`.
COMMANDS = {
    "run": "Train at several noise levels, compare, and write a submission (the default).",
    "compare": "Compare ways of training on many conditions: noise, corruptions, shifts, attacks.",
    "tune": "Search a recipe's settings by cross-validation; the best become a new recipe.",
    "report": "Write a run's report again: one HTML page with all figures and tables.",
    "recipes": "List the recipes that come along.",
    "show": "Draw a contact sheet: what a recipe's distortions and noise make of the pictures.",
    "answer": "Answer any rows with a run's networks: labels, and probabilities.",
    "blend": "Average runs, with weights chosen on rows that they did not see.",
    "fetch": "Bring the competition's files into data/.",
    "check": "Look for faults in a submission file.",
    "submit": "Send a submission to Kaggle and wait for its score.",
    "look": "Look at the data: classes, duplicates, odd pictures, drift, wrong labels.",
    "notebook": "Write a notebook that does the main job on Kaggle, without internet.",
    "leaderboard": "Show where your best score stands.",
    "runs": "List, show, compare and export the runs so far, with their scores.",
    "predict": "Read digits in picture files: labels, probabilities, verdicts, warnings.",
    "serve": "Open the drawing page: your own digits before networks of every noise level.",
    "export": "Write a model as an ONNX file for other programs.",
    "twins": "Compare the network with its reference in plain loops: time, memory, weights.",
}
DEFAULT = "run"
INTERRUPTED = 130
AGAIN_SECONDS = 1.0  # after the first signal, within which a second one is the same: a group gets some twice


class Commands(click.Group):
    """Finds commands by name, imports them late, and takes `run` when the first word is an option or missing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = importlib.import_module(f"pipeline.cli.{name}").command
        command.name = name
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
)
@click.version_option(pipeline.__version__)
def group() -> None:
    """Inkproof: from Kaggle's rows of pixels to an honest comparison and a submission.

    Without a command it does what `run` does. Each command has its own --help.
    """


_stopped: list[tuple[int, float]] = []  # signals that asked this process to end, and when, in seconds
_over = threading.Event()  # from then on it ends anyway


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process: 0 done, 1 failed, 2 wrong use, 130 Ctrl-C, 143 SIGTERM."""
    _stopped.clear()
    _over.clear()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell starts what goes on in the background
            signal.signal(number, _stop)
            atexit.register(signal.signal, number, signal.SIG_IGN)  # Python's own end would make it deadly again
    try:
        prefer_wide_kernels()
        group.main(arguments, prog_name=COMMAND, standalone_mode=False)
        code = 0
    except BaseException as error:  # an import that is interrupted may raise anything
        _over.set()
        code = _told_as_stopped() if _stopped else _told(error)
    _over.set()
    sys.exit(code)


def _stop(number: int, frame: object) -> None:
    """Unwind, so that worker processes end, temporary files go and the ledger knows; asked again, end at once."""
    now = time.monotonic()
    _stopped.append((number, now))
    if len(_stopped) == 1 and not _over.is_set():
        raise KeyboardInterrupt
    if now - _stopped[0][1] > AGAIN_SECONDS:
        os._exit(128 + _stopped[0][0])


def _told_as_stopped() -> int:
    print("\nStopped. Files written before are whole; nothing half-written is left.", file=sys.stderr, flush=True)
    return 128 + _stopped[0][0]


def _told(error: BaseException) -> int:
    """The exit code of an error, whose sentence is printed; what is no user's error is raised again."""
    match error:
        case click.ClickException():
            error.show()
            return error.exit_code
        case InkproofError():
            print(f"Error: {error}", file=sys.stderr)
            return error.exit_code
        case KeyboardInterrupt() | click.Abort():
            print("\nStopped.", file=sys.stderr)
            return INTERRUPTED
        case MemoryError():
            print("Error: the memory is not enough: use fewer --jobs or smaller data.", file=sys.stderr)
            return 1
        case BrokenPipeError():  # the reader of our output has gone, as `| head` does
            sys.stderr.close()
            return 1
        case OSError(errno=errno.ENAMETOOLONG):
            name = str(error.filename)[:60]
            print(f"Error: {name}… is longer than a file's name may be: correct it.", file=sys.stderr)
            return UsageError.exit_code
    raise error
