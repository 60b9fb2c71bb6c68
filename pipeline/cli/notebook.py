"""`python main.py notebook`: the main job as a notebook on Kaggle."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.asking import Waiting, confirm


@click.command("notebook", short_help="Write a notebook that does the main job on Kaggle.")
@click.argument("arguments", nargs=-1)
@click.option("--to", type=click.Path(path_type=Path), default="notebook", show_default=True, help="Folder to write.")
@click.option("--competition", help="Short name, or address; else that of the files in data/.")
@click.option("--user", envvar="KAGGLE_USERNAME", required=True, show_envvar=True, help="Your name on Kaggle.")
@click.option("--push", "is_pushed", is_flag=True, help="Send it to Kaggle, which runs it there.")
@click.option("--yes", is_flag=True, help="Send it without asking.")
def command(
    arguments: tuple[str, ...], to: Path, competition: str | None, user: str, is_pushed: bool, yes: bool
) -> None:
    """Write a notebook and its kernel-metadata.json that do `run` on Kaggle, without internet: the code is inside.

    What stands behind -- goes to `run` there, as in: python main.py notebook --user me -- --recipe cnn
    """
    from pipeline.dataset.slug import DIGIT_RECOGNIZER, folder_slug, slug_of
    from pipeline.kaggle.client import Limits
    from pipeline.kaggle.notebook import push, write_notebook

    slug = slug_of(competition) if competition else folder_slug(Path("data")) or DIGIT_RECOGNIZER
    path = write_notebook(to, slug=slug, user=user, arguments=arguments)
    click.echo(f"Notebook: {path} ({path.stat().st_size / 1e3:,.0f} kB), for {slug}.")
    if not is_pushed:
        click.echo(f"Send it with `python main.py notebook --push`, or `python -m kaggle kernels push -p {to}`.")
    elif confirm(f"Push {path} to Kaggle as a private notebook of {user}, which runs there?", yes=yes):
        click.echo(push(to, slug, limits=Limits(on_wait=Waiting())))
