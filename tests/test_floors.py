"""Imports point down: a room imports only from rooms below its own, and no files import one another in a circle."""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From the top down; a room is a package or a file of pipeline/. Each may import what stands behind it, and no other.
ROOMS = (
    "cli", "jobs", "web", "report", "kaggle", "prediction", "estimators", "training", "runs", "evaluation", "dataset",
    "augment", "nn", "seeds", "storage", "errors",
)  # fmt: skip
# These know nothing of one another.
STRANGERS = {"nn", "augment", "dataset"}
COMMON = "pipeline.nn.kernels."  # loops are compiled everywhere
FILES = sorted((ROOT / "pipeline").rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in FILES}


def imports(tree: ast.AST) -> set[str]:
    """The modules and names of pipeline that a file imports, anywhere in it, as dotted paths."""
    paths = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pipeline":
            paths |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            paths |= {alias.name for alias in node.names if alias.name.startswith("pipeline.")}
    return {path for path in paths if not path.startswith("pipeline.__")}


def imported_modules(path: Path) -> set[str]:
    """The files that a file imports from: at its top, for its annotations or inside of a function."""
    found = imports(ast.parse(path.read_text("utf-8")))
    return {name if name in MODULES else name.rpartition(".")[0] for name in found}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    parts = module_of(path).split(".")
    own = parts[1] if len(parts) > 1 else "errors"
    paths = {path for path in imports(ast.parse(path.read_text(encoding="utf-8"))) if not path.startswith(COMMON)}
    for name in {path.split(".")[1] for path in paths} - {own}:
        assert name in ROOMS, f"give {name} a place in this test"
        assert ROOMS.index(name) > ROOMS.index(own), f"{own} imports {name}, which stands above it"
        assert not {own, name} <= STRANGERS, f"{own} and {name} are to know nothing of one another"


def test_no_files_import_one_another_in_a_circle():
    graph = {module_of(path): imported_modules(path) for path in FILES if path.name != "__init__.py"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_the_network_needs_nothing_but_numpy_scipy_and_numba():
    for path in (ROOT / "pipeline" / "nn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                allowed = {"numpy", "scipy", "numba", "pipeline", *sys.stdlib_module_names}
                if path.name == "onnx_graph.py":  # for other programs, and imported when it is asked for
                    allowed.add("onnx")
                assert name.split(".")[0] in allowed, f"{path.name} imports {name}"
                assert not name.startswith("pipeline.") or name.split(".")[1] in ("nn", "storage", "errors")


def test_a_planted_import_is_seen():
    planted = ast.parse("from pipeline import jobs\nimport pipeline.cli.run\nfrom pipeline.nn.loss import x")
    assert imports(planted) == {"pipeline.jobs", "pipeline.cli.run", "pipeline.nn.loss.x"}
