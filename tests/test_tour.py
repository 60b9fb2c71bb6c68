"""docs/tour.md leads where it says: every stop is there, each calls the next, and the way is short."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
MOST_LINES = 2_000  # of code at the stops
MOST_HOPS = 8  # from a file to another, on the way from main.py to a training step


def stops(text: str) -> list[tuple[str, list[str]]]:
    """(file, names) of each numbered stop."""
    found = re.findall(r"^\d+\. `([^`]+\.py)`: ((?:`[\w.]+`(?:, )?)+)\.", text, re.M)
    return [(file, re.findall(r"`([\w.]+)`", names)) for file, names in found]


def definition(file: str, name: str) -> ast.AST:
    """The function or class of that dotted name. Raises LookupError."""
    node = ast.parse((ROOT / "pipeline" / file).read_text(encoding="utf-8"))
    for part in name.split("."):
        inside = [one for one in ast.walk(node) if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name == part]
        if not inside:
            raise LookupError(f"{file} has no {name}")
        node = inside[0]
    return node


def names_in(node: ast.AST) -> set[str]:
    """Every name, attribute and part of a text in that code."""
    words = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    words |= {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    words |= {alias.name for part in ast.walk(node) if isinstance(part, ast.ImportFrom) for alias in part.names}
    return words


def test_the_page_numbers_its_stops_without_a_gap():
    assert [int(number) for number in re.findall(r"^(\d+)\. ", PAGE, re.M)] == list(range(1, len(stops(PAGE)) + 1))


@pytest.mark.parametrize(("file", "names"), stops(PAGE), ids=lambda value: str(value))
def test_every_stop_is_there(file, names):
    for name in names:
        assert definition(file, name)


def test_each_stop_on_the_way_to_a_training_step_calls_the_next():
    way = stops(PAGE.split("## A CSV cell")[0])
    files = ["main.py", *(file for file, _ in way)]
    assert sum(file != after for file, after in itertools.pairwise(files)) <= MOST_HOPS
    places = [(file, name) for file, names in way for name in names]
    for (file, name), (_, after) in itertools.pairwise(places):
        method = after.split(".")[-1]
        # The command line finds a command by its module's attribute, the driver calls whatever plan it was given.
        called = names_in(definition(file, name.split(".")[0])) | names_in(definition(file, name))
        if name == "main":
            called |= names_in(ast.parse((ROOT / "pipeline" / file).read_text(encoding="utf-8")))
        assert method in called, f"{file}: {name} does not lead to {after}"


def test_the_way_can_be_read_in_an_afternoon():
    lines = {}
    for file, names in stops(PAGE):
        for name in names:
            node = definition(file, name)
            lines |= {(file, number): 1 for number in range(node.lineno, node.end_lineno + 1)}
    assert len(lines) <= MOST_LINES
    claimed = int(re.search(r"about ([\d,]+) lines in all", PAGE)[1].replace(",", ""))
    assert abs(claimed - len(lines)) <= 100, f"the page says {claimed}, it is {len(lines)}"
