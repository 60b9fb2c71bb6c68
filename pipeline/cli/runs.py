"""`runs`: the ledger, listed, compared, exported."""

import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import PATH, options
from pipeline.errors import COMMAND, counted, without_password

# Given before or after show, best, diff, export: both mean the same.
_folder = click.option(
    "--runs", "folder", type=PATH, help="Folder of the ledger.  [default: runs]",
    callback=lambda context, _, value: value or context.parent.params.get("folder") or Path("runs"),
)  # fmt: skip


@click.group(invoke_without_command=True)
@options(
    _folder,
    click.option("--status", type=click.Choice(["running", "finished", "failed", "stopped"]), help="Only these."),
    click.option("--recipe", help="Only runs of this recipe."),
    click.option("--data-name", "data", help="Only runs on this data."),
    click.option("--since", help="Only runs since this date, as 2026-01-31."),
    click.option("--sort", default="started", help="Column to sort by, the largest first."),
    click.option("--reverse", is_flag=True, help="The smallest first."),
    click.option("--limit", type=click.IntRange(min=1), help="At most so many."),
    click.option("--csv", "as_csv", is_flag=True, help="As CSV."),
    click.option("--json", "as_json", is_flag=True, help="As JSON, with everything that is known."),
)
@click.pass_context
def command(context: click.Context, folder: Path, as_csv: bool, as_json: bool, **filters: Any) -> None:
    """List all runs with their scores, the newest first."""
    if context.invoked_subcommand is not None:
        return
    from pipeline.runs.ledger import Ledger, listing

    known = Ledger(folder).runs()
    runs = listing.select(known, **filters)
    if as_csv or as_json:
        click.echo(listing.as_csv(runs) if as_csv else listing.as_json(runs), nl=False)
    elif runs:
        _print_table(listing.HEADINGS, listing.table(runs, [run.id for run in known]))
    else:
        click.echo("No such runs." if known else f"No runs yet: type `{COMMAND}`.")


@command.command("show")
@click.argument("id")
@_folder
def show(id: str, folder: Path) -> None:
    """Show everything about run ID (the beginning of an id is enough)."""
    from pipeline.runs.ledger import Ledger, listing

    _print_details(listing.details(Ledger(folder).run(id), folder))


@command.command("best")
@click.option("--by", type=click.Choice(["holdout", "public"]), default="holdout",
              help="Accuracy on the holdout, or Kaggle's public score.")  # fmt: skip
@_folder
def best(by: str, folder: Path) -> None:
    """Show the run with the best score."""
    from pipeline.runs.ledger import Ledger, listing

    _print_details(listing.details(listing.best(Ledger(folder).runs(), by), folder))


@command.command("diff")
@click.argument("first")
@click.argument("second")
@_folder
def diff(first: str, second: str, folder: Path) -> None:
    """Show what changed from run FIRST to run SECOND, and whether it is more than chance."""
    from pipeline.runs.ledger import Ledger
    from pipeline.runs.ledger.diff import diff_runs

    ledger = Ledger(folder)
    one, two = ledger.run(first), ledger.run(second)
    found = diff_runs(one, two, folder)
    for title, changes in (("What was changed", found.settings), ("What came out", found.results)):
        click.echo(f"{title}, from {one.id} to {two.id}:")
        for change in changes:
            _print_wrapped(f"  {change.name} {_value(change.first)} → {_value(change.second)}", indent=4)
        if not changes:
            click.echo("  nothing")
    _print_wrapped(found.verdict)


def _value(value: object) -> str:
    return "–" if value is None else str(value)


@command.command("export")
@click.option("--mlflow", "uri", required=True, help="Address of an MLflow store, as sqlite:///mlflow.db.")
@_folder
def export(uri: str, folder: Path) -> None:
    """Copy the runs that are not there yet to an MLflow store."""
    from pipeline.runs.ledger import Ledger, mlflow

    count = mlflow.export(Ledger(folder).runs(), uri)
    click.echo(f"{counted(count, 'new run')} in {without_password(uri)}.")


def _print_details(lines: Iterable[tuple[str, str]]) -> None:
    for name, value in lines:
        _print_wrapped(f"{name:<12} {value}", indent=13)


def _print_wrapped(text: str, *, indent: int = 0) -> None:
    """Lines of 80 columns below each other; what has no spaces stays whole, to be copied."""
    whole = {"break_long_words": False, "break_on_hyphens": False}
    click.echo(textwrap.fill(text, 80, subsequent_indent=" " * indent, **whole))


def _print_table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        number = heading in ("rows", "holdout", "public")
        table.add_column(heading, justify="right" if number else "left", no_wrap=heading != "data", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # A pipe has no width: nothing may be cut off there.
    Console(width=None if sys.stdout.isatty() else 400).print(table)
