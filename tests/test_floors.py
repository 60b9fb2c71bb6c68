"""Imports point down: a module imports only from floors below its own, or from its own package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# From the ground up. A package stands for all files in it.
FLOORS = (
    {"errors", "blas", "locks"},
    {"storage"},
    {"nn", "augment", "dataset", "split", "picture", "grid", "search_space"},
    {"recipe", "recipe_tables", "training", "statistics", "robustness", "saliency", "blend", "guards"},
    {"model", "fits", "submission", "matrix"},
    {
        "committee",
        "engine",
        "cluster",
        "ledger",
        "run_folder",
        "report",
        "onnx_export",
        "estimators",
        "newest",
        "twins",
    },
    {"console", "kaggle", "prediction", "world"},
    {"outputs", "stages", "cross_validation", "compare", "tuning"},
    {"web"},
    {"cli"},
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
# These know nothing of one another, though they share a floor.
STRANGERS = {"nn", "augment", "dataset", "split", "picture"}
FILES = sorted((ROOT / "pipeline").rglob("*.py"))


def imports(tree: ast.AST) -> set[str]:
    """The parts of pipeline that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "pipeline":
            found |= {alias.name for alias in node.names if alias.name != "__version__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("pipeline.")}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    own = path.relative_to(ROOT / "pipeline").with_suffix("").parts[0]
    if own == "__init__":
        own = "errors"
    used = imports(ast.parse(path.read_text(encoding="utf-8"))) - {own}
    unknown = used - FLOOR.keys()
    assert not unknown, f"give {unknown} a floor in this test"
    for name in used:
        assert FLOOR[name] <= FLOOR[own], f"{own} (floor {FLOOR[own]}) imports {name} (floor {FLOOR[name]})"
        assert not {own, name} <= STRANGERS, f"{own} and {name} are to know nothing of one another"


def test_the_network_needs_nothing_but_numpy_and_scipy():
    for path in (ROOT / "pipeline" / "nn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                top = name.split(".")[0]
                assert top in sys_and_numbers(), f"{path.name} imports {name}"
                assert not name.startswith("pipeline.") or name.split(".")[1] in ("nn", "errors")


def sys_and_numbers() -> set[str]:
    import sys

    return {"numpy", "scipy", "pipeline"} | set(sys.stdlib_module_names)


def test_a_planted_import_is_found():
    assert imports(ast.parse("from pipeline import stages\nimport pipeline.cli.run")) == {"stages", "cli"}
