"""`python main.py report`: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report", short_help="Write a run's report.")
@click.argument("run", metavar="RUN")
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Folder of the runs."
)
def command(run: str, runs: Path) -> None:
    """Write the report of RUN (its id, or the path of its folder): report.html, a file that needs nothing else.

    It has the verdicts, the matrix, the figures, the mistakes and how to repeat it. Beside it lie report.json and,
    in report/, every figure as SVG and PNG and every table as CSV.
    """
    from pipeline.report.page import write_report

    folder = Path(run) if Path(run).is_dir() else runs / run
    print(f"Report: {write_report(folder)}")
