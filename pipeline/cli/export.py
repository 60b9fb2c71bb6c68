"""`export`: a model for other programs."""

from pathlib import Path

import click

from pipeline.cli.options import PATH


@click.command()
@click.argument("model", type=PATH)
@click.option("--to", type=PATH, help="The ONNX file to write; by default beside MODEL, with the ending .onnx.")
def command(model: Path, to: Path | None) -> None:
    """Write MODEL, a .safetensors file below runs/, as an ONNX file.

    It takes pixels as they are, uint8 (n, side, side), and gives probabilities, with scaling and softmax
    inside. Needs the onnx package (pip install onnx).
    """
    from pipeline.prediction.model_file import load
    from pipeline.prediction.onnx_export import export

    to = to or model.with_suffix(".onnx")
    click.echo(f"{to}: {export(load(model), to)}")
