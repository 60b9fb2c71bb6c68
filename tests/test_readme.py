"""The README is true: its tree is the tree, its commands exist, its test command is the one that CI runs."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import COMMANDS, group

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tree_in_readme() -> set[str]:
    """Paths in the block under "The tree"."""
    block = re.search(r"## The tree\n.*?```text\n(.*?)```", README, re.DOTALL)[1]
    paths, folder = set(), ""
    for line in block.splitlines():
        name, description = line.split(maxsplit=1)
        assert len(description) > 3, f"{name} is not described"
        if not line.startswith(" "):
            folder = name
        paths.add(folder + name if line.startswith(" ") else name)
    return paths


def packages_on_disk() -> set[str]:
    return {f"pipeline/{path.parent.name}/" for path in (ROOT / "pipeline").glob("*/__init__.py")}


def test_the_tree_names_every_package_and_nothing_else_of_pipeline():
    assert {path for path in tree_in_readme() if path.startswith("pipeline/")} == {"pipeline/", *packages_on_disk()}


def test_what_the_tree_names_is_there():
    for path in tree_in_readme():
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme_and_helps(name):
    assert re.search(rf"python main\.py {name}(?![\w-])", README)
    command = group.get_command(None, name)
    shown = CliRunner().invoke(group, [name, "--help"], terminal_width=1000)
    assert shown.exit_code == 0
    for line in (command.help.splitlines()[0], *(option for p in command.params for option in p.opts[:1])):
        assert line in shown.output or line.upper() in shown.output, line
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, f"{name} {parameter.name} has no help"


def test_options_in_the_readme_exist():
    for line in re.findall(r"^python main\.py(.*?)(?:#.*)?$", README, re.MULTILINE):
        words = line.split()
        name = words.pop(0) if words and words[0] in COMMANDS else "run"
        command = group.get_command(None, name)
        options = {"--help"} | {option for parameter in command.params for option in parameter.opts}
        if hasattr(command, "commands"):
            options |= {o for sub in command.commands.values() for p in sub.params for o in p.opts}
        for word in words:
            if word.startswith("-"):
                assert word.partition("=")[0] in options, f"{name} has no {word}"


def test_ci_takes_the_test_command_from_here():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pattern = re.search(r"grep -m1 -E '([^']+)' README", script)[1]
    (line,) = [line for line in README.splitlines() if re.search(pattern, line)]
    assert line.endswith("-m pytest -q -n auto")
    assert "-r tests/requirements.txt" in line


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
