"""`answer`: any rows answered by a finished run."""

from pathlib import Path

import click

from pipeline.cli.asking import Waiting
from pipeline.cli.options import PATH, options, runs_option
from pipeline.errors import counted


@click.command()
@click.argument("run")
@options(
    click.option("--data", type=PATH, required=True, help="The rows: a CSV like test.csv, plain or in a zip, or a "
                 "folder with test.csv."),
    click.option("--label-column", help="Column that holds labels, which are not looked at, where it is not named "
                 "label."),
    click.option("--id-column", help="Column that holds the ids, where it is not named id."),
    click.option("--probabilities", is_flag=True, help="Write the probability of each class as well."),
    click.option("--to", type=PATH, default="answers.csv", help="The CSV to write."),
    runs_option,
)  # fmt: skip
def command(
    run: str, data: Path, label_column: str | None, id_column: str | None, probabilities: bool, to: Path, runs: Path
) -> None:
    """Answer any rows with the networks of RUN (the beginning of its id, its folder, or a model file), as its
    submission was made: the same networks, weights and views. Rows are read and answered in blocks, however many."""
    from pipeline.jobs.answer import answer
    from pipeline.runs.ledger import Ledger

    path = Path(run) if Path(run).exists() else runs / Ledger(runs).run(run).id
    waiting = Waiting()

    def on_rows(done: int) -> None:
        waiting(f"{counted(done, 'row')} answered")

    columns = {"label_column": label_column, "id_column": id_column}
    click.echo(answer(path, data, to, columns=columns, probabilities=probabilities, on_rows=on_rows))
