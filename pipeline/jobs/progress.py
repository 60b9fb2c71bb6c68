"""What a run says while it works: a progress bar on a terminal, lines when piped, nothing when quiet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.training import Epoch
from pipeline.training.task import TrainingTask

if TYPE_CHECKING:
    from rich.console import Console


def plain_console(width: int | None = None) -> Console:
    """rich's console on standard output, without colours for NO_COLOR and without its guesses at markup."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=width)


class RunLog:
    """How a run speaks: `say` for its steps, `result` for what was asked for, `fits` around training."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.said: list[str] = []
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        if self._console is None:
            self._console = plain_console()
        return self._console

    def say(self, line: str) -> None:
        """A step of the work; kept in `said`, and printed unless quiet."""
        self.said.append(line)
        if not self.quiet:  # plain print, because rich takes a moment to import
            print(line, flush=True)

    def result(self, content: object) -> None:
        """Something that was asked for: a text or something rich can draw."""
        self.console.print(content)

    @contextmanager
    def fits(self, what: str, tasks: Sequence[TrainingTask]) -> Iterator[Callable[[TrainingTask, Epoch], None]]:
        """Gives the function to call after each epoch of each task."""
        if self.quiet:
            yield lambda task, epoch: None
        elif not sys.stdout.isatty():
            yield _line
        else:
            total = sum(task.recipe.training.epochs for task in tasks)
            # A long estimation window: epochs of several fits arrive in bursts.
            with self._bar(what, total, unit="epochs,", window=300) as advance:
                yield lambda task, epoch: advance(f"left  {task.name}: {_accuracy(epoch)}")

    @contextmanager
    def counting(self, what: str, total: int, done: int = 0) -> Iterator[Callable[[str], None]]:
        """Gives the function to call with a line on each of `total` pieces of work, `done` of which are done."""
        if self.quiet or not sys.stdout.isatty():
            yield self.say
            return
        with self._bar(what, total, done=done, window=3600) as advance:

            def say(line: str) -> None:
                self.said.append(line)
                self.console.print(line)
                advance("left")

            yield say

    @contextmanager
    def _bar(
        self, what: str, total: int, *, window: int, unit: str = "", done: int = 0
    ) -> Iterator[Callable[[str], None]]:
        """A bar of `total` steps; gives the function that makes one, with what stands behind the time that is left."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[behind]}"),
        )
        with Progress(*columns, console=self.console, speed_estimate_period=window) as progress:
            bar = progress.add_task(what, total=total, completed=done, behind="left")
            yield lambda behind: progress.update(bar, advance=1, behind=behind)


def _accuracy(epoch: Epoch) -> str:
    if epoch.validation_accuracy is None:
        return f"training accuracy {epoch.train_accuracy:.2%}"
    return f"holdout {epoch.validation_accuracy:.2%}"


def _line(task: TrainingTask, epoch: Epoch) -> None:
    print(
        f"{task.name}: epoch {epoch.epoch}/{task.recipe.training.epochs}, loss {epoch.train_loss:.4f}, "
        f"{_accuracy(epoch)}, {epoch.seconds:.1f} s",
        flush=True,
    )
