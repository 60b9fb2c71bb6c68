"""A notebook that does the main job on Kaggle, without internet: the code travels inside it.

Notebook format 4.5 (nbformat), and kernel-metadata.json as `kaggle kernels push` reads it.
"""

import base64
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import KaggleError
from pipeline.kaggle.client import LIMITS, Limits
from pipeline.kaggle.faults import call
from pipeline.storage import write_json

ROOT = Path(__file__).parent.parent.parent
NOTEBOOK, METADATA = "inkproof.ipynb", "kernel-metadata.json"
CODE = ("pipeline/**/*", "recipes/*.toml")
MAIN = "from pipeline.cli import main\n\nif __name__ == '__main__':\n    main()\n"
UNPACK = """import base64, io, tempfile, zipfile
from pathlib import Path

CODE = "{code}"
inkproof = Path(tempfile.mkdtemp())
zipfile.ZipFile(io.BytesIO(base64.b64decode(CODE))).extractall(inkproof)
# Competitions have lain in more than one place below the folder input.
data = next(path.parent for path in sorted(Path("../input").rglob("train.csv")) if (path.parent / "test.csv").exists())
print(data)"""
RUN = """import subprocess, sys

command = [sys.executable, str(inkproof / "main.py"), "run", "--data", str(data), "--submission", "submission.csv"]
command += {arguments!r}
with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
    for line in process.stdout:
        print(line, end="")
if process.returncode:
    raise RuntimeError(f"Inkproof ended with exit code {{process.returncode}}")"""


def write_notebook(folder: Path, *, slug: str, user: str, arguments: Sequence[str] = ()) -> Path:
    """Write the notebook and its metadata into `folder`, and give the notebook's path. Raises StorageError.

    slug: of the competition whose files it reads; user: whose notebook it becomes; arguments: of the command run.
    """
    title = f"Inkproof on {slug}"
    cells = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {title}\n\nThe whole of Inkproof is in "
         "the next cell: no internet is needed. Its result is submission.csv."},
        _code("unpack", UNPACK.format(code=base64.b64encode(packed_code()).decode())),
        _code("run", RUN.format(arguments=list(arguments))),
    ]  # fmt: skip
    python = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    write_json(folder / NOTEBOOK, {"cells": cells, "metadata": python, "nbformat": 4, "nbformat_minor": 5})
    write_json(
        folder / METADATA,
        {
            "id": f"{user}/{title.lower().replace(' ', '-')}",
            "title": title,
            "code_file": NOTEBOOK,
            "language": "python",
            "kernel_type": "notebook",
            "is_private": True,
            "enable_gpu": False,
            "enable_internet": False,
            "competition_sources": [slug],
            "dataset_sources": [],
            "kernel_sources": [],
            "model_sources": [],
        },
    )
    return folder / NOTEBOOK


def packed_code() -> bytes:
    """A zip of pipeline/ and recipes/, and a main.py to start it: the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        packed.writestr(zipfile.ZipInfo("main.py"), MAIN)  # an installed package has none
        for path in sorted({path for pattern in CODE for path in ROOT.glob(pattern)}):
            if path.is_file() and "__pycache__" not in path.parts:
                packed.writestr(zipfile.ZipInfo(path.relative_to(ROOT).as_posix()), path.read_bytes(),
                                zipfile.ZIP_DEFLATED)  # fmt: skip
    return buffer.getvalue()


def push(folder: Path, slug: str, *, limits: Limits = LIMITS) -> str:
    """Send the notebook in `folder` to Kaggle, which runs it there; what the client says. Raises KaggleError."""
    words, doing = ["kernels", "push", "-p", str(folder)], f"Pushing {folder / NOTEBOOK}"
    outcome = call(words, slug, doing=doing, time_limit=limits.upload, on_wait=limits.on_wait)
    said = " ".join(outcome.out.split())
    if "successfully pushed" not in said:  # the client's exit code is 0 even so
        raise KaggleError(f"Kaggle did not take {folder / NOTEBOOK}: {said[:300] or 'the client said nothing'}.")
    return said


def _code(id: str, source: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": id, "metadata": {}, "execution_count": None, "outputs": [], "source": source}
