"""Do the tests bite? One small fault at a time is put into the code, and the tests of that room must fail.

    python benchmarks/mutants.py [--minutes 15] [--seed 0] [FILE …]

A mutant is one change of one expression or statement: a comparison turned, a sign changed, a number moved by one, a
condition negated, a statement left out. They are drawn without replacement from all that the files hold. Printed are
each survivor and the share that was killed. Survivors are to be read: a test is missing, or the change means nothing.
"""

from __future__ import annotations

import argparse
import ast
import copy
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Files → the tests that have to notice. Loops of a room's kernels are held to their NumPy form by the same tests.
TARGETS = {
    "pipeline/nn/*.py": ("tests/nn",),
    "pipeline/nn/layers/*.py": ("tests/nn",),
    "pipeline/training/loop.py": ("tests/training/test_loop.py", "tests/training/test_task.py"),
    "pipeline/training/history.py": ("tests/training/test_loop.py",),
    "pipeline/evaluation/statistics.py": ("tests/evaluation/test_statistics.py", "tests/evaluation/test_grid.py"),
    "pipeline/evaluation/crossed.py": ("tests/evaluation/test_statistics.py", "tests/evaluation/test_grid.py"),
    "pipeline/dataset/split.py": ("tests/dataset",),
    "pipeline/dataset/rows.py": ("tests/dataset",),
    "pipeline/dataset/columns.py": ("tests/dataset",),
    "pipeline/dataset/exact.py": ("tests/dataset",),
    "pipeline/dataset/kaggle_csv.py": ("tests/dataset",),
    "pipeline/kaggle/submission.py": ("tests/kaggle/test_submission.py",),
}
LONGEST_SECONDS = 300  # of the tests of one mutant; one that hangs is noticed as well
TURNED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Nodes that can be changed, and how; type annotations and messages are left out."""
    silent = {id(inside) for node in ast.walk(tree) for part in _silent(node) for inside in ast.walk(part)}
    for node in ast.walk(tree):
        if id(node) in silent:
            continue
        if isinstance(node, ast.Compare) and type(node.ops[0]) in TURNED:
            yield node, "comparison"
        elif isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in TURNED:
            yield node, "operator"
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
            yield node, "sign"
        elif isinstance(node, ast.If | ast.While | ast.IfExp):
            yield node, "condition"
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
            yield node, "constant"
        elif isinstance(node, ast.Expr | ast.AugAssign | ast.Raise) and not _is_text(node):
            yield node, "statement"


def _silent(node: ast.AST) -> list[ast.AST]:
    parts = [getattr(node, name, None) for name in ("annotation", "returns")]
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
        parts.append(node)
    return [part for part in parts if part is not None]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def mutate(source: str, number: int) -> tuple[str, str]:
    """The source with its place `number` changed, and what was done."""
    tree = ast.parse(source)
    node, kind = list(places(tree))[number]
    before = ast.unparse(node)
    if kind == "comparison":
        node.ops[0] = TURNED[type(node.ops[0])]()
    elif kind == "operator":
        node.op = TURNED[type(node.op)]()
    elif kind == "condition":
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif kind == "constant":
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    changed: ast.AST = node
    if kind in ("sign", "statement"):
        changed = ast.Pass() if kind == "statement" else node.operand
        _replace(tree, node, changed)
    text = ast.unparse(ast.fix_missing_locations(tree))
    return text, f"line {node.lineno}: {before.splitlines()[0][:90]} → {ast.unparse(changed).splitlines()[0][:90]}"


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, copy.copy(new))
            elif isinstance(value, list):
                value[:] = [new if item is old else item for item in value]


def survives(copied: Path, file: Path, text: str, tests: tuple[str, ...]) -> bool:
    """Whether the tests pass with this text in the place of the file."""
    path = copied / file
    before = path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=copied, capture_output=True, timeout=LONGEST_SECONDS)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_text(before, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help="by default those of TARGETS")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tests = {path.relative_to(ROOT): room for pattern, room in TARGETS.items() for path in sorted(ROOT.glob(pattern))}
    if arguments.files:
        tests = {Path(name): tests[Path(name)] for name in arguments.files}
    sources = {file: (ROOT / file).read_text(encoding="utf-8") for file in tests}
    all_places = [(file, n) for file, text in sources.items() for n, _ in enumerate(places(ast.parse(text)))]
    random.Random(arguments.seed).shuffle(all_places)
    end, killed, survivors = time.monotonic() + 60 * arguments.minutes, 0, []
    with tempfile.TemporaryDirectory(prefix="inkproof-mutants-") as name:
        copied = Path(name) / "inkproof"
        shutil.copytree(ROOT, copied, ignore=shutil.ignore_patterns(".git", "runs", "__pycache__", ".*cache"))
        for file, number in all_places:
            if time.monotonic() > end:
                break
            text, change = mutate(sources[file], number)
            if survives(copied, file, text, tests[file]):
                survivors.append(f"{file}, {change}")
                print(f"survived: {survivors[-1]}", flush=True)
            else:
                killed += 1
    tried = killed + len(survivors)
    print(
        f"{killed} of {tried} mutants were killed ({killed / max(tried, 1):.0%}); there are {len(all_places):,} in all"
    )


if __name__ == "__main__":
    main()
