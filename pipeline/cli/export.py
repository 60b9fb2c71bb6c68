"""`python main.py export`: a model for other programs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("export", short_help="Write a model as ONNX.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="Where the ONNX file is written; by default beside MODEL, with the ending .onnx.",
)
def command(model: Path, to: Path | None) -> None:
    """Write MODEL, a .safetensors file below runs/, as an ONNX file.

    It takes pixels as they are, uint8 (n, side, side), and gives probabilities, with scaling and softmax
    inside. Needs the onnx package (pip install onnx).
    """
    from pipeline.nn.onnx_graph import OPSET
    from pipeline.prediction.model_file import load
    from pipeline.prediction.onnx_export import export

    found = load(model)
    to = to or model.with_suffix(".onnx")
    export(found, to)
    click.echo(
        f"{to}: ONNX opset {OPSET}; pixels uint8 (n, {found.side}, {found.side}) → probabilities float32 "
        f"(n, {len(found.classes)}) of the classes {', '.join(str(name) for name in found.classes)}"
    )
