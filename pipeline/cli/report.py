"""`report`: a run as one HTML file."""

from pathlib import Path

import click

from pipeline.cli.options import runs_option


@click.command()
@click.argument("run", metavar="RUN")
@runs_option
def command(run: str, runs: Path) -> None:
    """Write the report of RUN (its id, or the path of its folder): report.html, a file that needs nothing else.

    It has the verdicts, the matrix, the figures, the mistakes and how to repeat it. Beside it lie report.json and,
    in report/, every figure as SVG and PNG and every table as CSV.
    """
    from pipeline.report.page import write_report

    folder = Path(run) if Path(run).is_dir() else runs / run
    print(f"Report: {write_report(folder)}")
