"""`serve`: the drawing page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import data_options, model_option, options
from pipeline.errors import COMMAND

if TYPE_CHECKING:
    from pipeline.dataset import Competition

ANYWHERE = ("0.0.0.0", "::")


@click.command()
@options(
    click.option("--host", default="127.0.0.1", help="Address to listen on; 0.0.0.0 is all."),
    click.option("--port", type=click.IntRange(0, 65535), default=8000, help="Port to listen on; 0 takes a free one."),
    click.option("--open", "open_page", is_flag=True, help="Open the page in the browser."),
    model_option,
    *data_options,
)
def command(host: str, port: int, open_page: bool, model: str | None, **data: Any) -> None:
    """Serve a page to draw digits on, with the newest run's networks, and to train others on before your eyes.

    The data are what the page trains on, and where it looks for similar digits. Where no run is there yet, the
    default recipe is trained on the embedded sample first. Corrections that visitors make stay in
    runs/corrections.sqlite. Ctrl-C ends it.
    """
    from pipeline.prediction.find_models import newest_run
    from pipeline.runs.run_folder import RUNS
    from pipeline.web.app import LOCAL_NAMES, create_app
    from pipeline.web.models import load_models
    from pipeline.web.server import bind, run

    if model is None:
        path = newest_run(RUNS) or _train_on_sample(RUNS)
    else:
        path = Path(model) if Path(model).exists() or not (RUNS / model).exists() else RUNS / model
    models = load_models(path, _competition(data))
    hosts = None if host in ANYWHERE else (*LOCAL_NAMES, f"[{host}]" if ":" in host else host)
    app = create_app(models, RUNS / "corrections.sqlite", hosts=hosts)
    server = bind(app, host, port)
    shown = "127.0.0.1" if host in ANYWHERE else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{server.effective_port}/"
    levels = ", ".join(f"σ {choice.sigma:g}" for choice in models.levels if choice.sigma is not None)
    click.echo(f"{models.default.name} of {path} answers; noise levels in the lab: {levels or 'none'}")
    click.echo(f"The page is at {address} (Ctrl-C ends it)")
    if open_page:
        import webbrowser

        webbrowser.open(address)
    try:
        run(server)
    finally:
        app.config["PAGE"].trainings.stop_all()


def _competition(data: dict[str, Any]) -> Competition | None:
    """The rows to train on; None, and a sentence, where those that nobody named cannot be read."""
    from pipeline.dataset import load
    from pipeline.errors import InkproofError

    try:
        return load(**data)
    except InkproofError as error:
        if data["data"] is not None:
            raise
        click.echo(f"The page cannot train: {error}", err=True)
        return None


def _train_on_sample(runs: Path) -> Path:
    """A run of the main job on the embedded sample; gives its folder."""
    from pipeline.dataset import load
    from pipeline.dataset.sample import write
    from pipeline.jobs.bench import JobOptions
    from pipeline.jobs.driver import run_job
    from pipeline.jobs.noise_levels import NoiseLevels
    from pipeline.jobs.progress import RunLog
    from pipeline.training import recipe
    from pipeline.training.parallel import cores

    click.echo("No run below runs/ yet: training the default recipe on the embedded sample (8×8 digits) first")
    sample = Path("data/sample")
    write(sample)
    plan = NoiseLevels(competition=load(sample), recipe=recipe.load("default"), repeats=1)
    options = JobOptions(jobs=cores(), runs=runs, submission=Path("submissions/sample.csv"), command=f"{COMMAND} serve")
    return run_job(plan, options, RunLog()).folder
