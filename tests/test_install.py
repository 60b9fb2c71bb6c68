"""What `pip install .` leaves behind works from any folder: the command, the package, its recipes and pages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
USE = """
import pipeline
from pipeline.estimators import NetworkClassifier
from pipeline.training import recipe
import numpy as np
print(pipeline.__file__)
print(NetworkClassifier(4, epochs=1).fit(np.eye(3), ["a", "b", "c"]).predict(np.eye(3)).shape)
print(recipe.load("default").name, len(recipe.names()))
print((recipe.FOLDER.parent / "web" / "static" / "index.html").is_file())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Where pip installed a copy of this checkout, without its dependencies, which are here already."""
    pytest.importorskip("setuptools", reason="setuptools builds the package")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name in ("pipeline", "recipes"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "requirements.txt"):
        shutil.copy(ROOT / name, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", target, source], check=True)
    return target


def output_of(installed: Path, folder: Path, *words: str) -> str:
    """What a Python process prints that works in `folder` and sees the installed package, not this checkout."""
    command = [sys.executable, "-P", *words]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_package_works_from_another_folder(installed, tmp_path):
    place, shape, recipes, page = output_of(installed, tmp_path, "-c", USE).splitlines()
    assert Path(place) == installed / "pipeline" / "__init__.py"
    assert shape == "(3,)"
    assert recipes == f"default {len(list((ROOT / 'recipes').glob('*.toml')))}"
    assert page == "True"


def test_the_command_names_itself_and_finds_the_recipes(installed, tmp_path):
    command = str(next((installed / "bin").glob("inkproof*")))
    assert output_of(installed, tmp_path, command, "--help").startswith("Usage: inkproof")
    assert "relu-1400: " in output_of(installed, tmp_path, command, "recipes")
    assert output_of(installed, tmp_path, command, "runs") == "No runs yet: type `inkproof`.\n"


def test_what_is_no_code_is_installed_too(installed):
    """Every file of the package that git keeps beside the code, but for the documents."""
    for path in (ROOT / "pipeline").rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc", ".md"):
            assert (installed / path.relative_to(ROOT)).is_file(), path
