"""`notebook`: the main job as a notebook on Kaggle."""

from pathlib import Path

import click

from pipeline.cli.asking import Waiting, confirm
from pipeline.cli.options import PATH, options, yes_option
from pipeline.errors import COMMAND


@click.command()
@click.argument("arguments", nargs=-1)
@options(
    click.option("--to", type=PATH, default="notebook", help="Folder to write."),
    click.option("--competition", help="Short name, or address; else that of the files in data/."),
    click.option("--user", envvar="KAGGLE_USERNAME", required=True, show_envvar=True, help="Your name on Kaggle."),
    click.option("--push", "is_pushed", is_flag=True, help="Send it to Kaggle, which runs it there."),
    yes_option,
)
def command(
    arguments: tuple[str, ...], to: Path, competition: str | None, user: str, is_pushed: bool, yes: bool
) -> None:
    """Write a notebook and its kernel-metadata.json that do `run` on Kaggle, without internet: the code is inside.

    What stands behind -- goes to `run` there, as in: notebook --user me -- --recipe cnn
    """
    from pipeline.dataset.slug import usual_slug
    from pipeline.kaggle.client import Limits
    from pipeline.kaggle.notebook import push, write_notebook

    slug = usual_slug(competition)
    path = write_notebook(to, slug=slug, user=user, arguments=arguments)
    click.echo(f"Notebook: {path} ({path.stat().st_size / 1e3:,.0f} kB), for {slug}.")
    if not is_pushed:
        click.echo(f"Send it with `{COMMAND} notebook --push`, or `python -m kaggle kernels push -p {to}`.")
    elif confirm(f"Push {path} to Kaggle as a private notebook of {user}, which runs there?", yes=yes):
        click.echo(push(to, slug, limits=Limits(on_wait=Waiting())))
