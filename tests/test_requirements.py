"""requirements.txt holds what the package imports, and nothing that only tests use."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

from pipeline.runs.run_folder import PACKAGES

ROOT = Path(__file__).parent.parent
# Imported late by one command each, which says how to get them.
OPTIONAL = {"onnx", "mlflow-skinny"}
# Each comes with another one that is listed.
BROUGHT = {"dask": "distributed", "markupsafe": "jinja2", "sqlalchemy": "optuna", "werkzeug": "flask"}
# The client runs in a process of its own, and imports six without saying so.
FOR_OTHERS = {"kaggle", "six"}


def names_in(file: Path) -> set[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return {re.split(r"[<>=;\s]", line)[0].lower() for line in lines if line and line[0] not in "#-"}


def imported() -> set[str]:
    """Distributions whose modules pipeline/ imports, anywhere in a file."""
    modules = set()
    for path in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module.split(".")[0])
    by_module = metadata.packages_distributions()
    others = modules - {"pipeline", *sys.stdlib_module_names}
    return {by_module[module][0].lower() for module in others}


def test_what_is_imported_is_listed_and_what_is_listed_is_imported():
    listed = names_in(ROOT / "requirements.txt")
    assert imported() - OPTIONAL - set(BROUGHT) == listed - FOR_OTHERS
    assert set(BROUGHT.values()) <= listed


def test_versions_in_a_runs_record_are_of_listed_packages():
    assert set(PACKAGES) <= names_in(ROOT / "requirements.txt")


def test_what_is_optional_is_there_for_the_tests():
    assert names_in(ROOT / "tests" / "requirements.txt") >= OPTIONAL
