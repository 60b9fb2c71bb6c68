"""The README is true: its tree is the tree, its commands exist, its test command is the one that CI runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from pipeline.cli import COMMANDS, group

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tree_in_readme() -> dict[str, str]:
    """Path → description, from the block under "The tree"; only tests/conftest.py of the tests."""
    block = re.search(r"## The tree\n.*?```text\n(.*?)```", README, re.DOTALL)[1]
    found, folder = {}, ""
    for line in block.splitlines():
        name, _, description = line.strip().partition(" ")
        if name.endswith("/"):
            folder = name
        else:
            found[(folder if line.startswith(" ") else "") + name] = description.strip()
    return found


def tree_on_disk() -> set[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this copy is not a git checkout")
    return {name for name in listed if (ROOT / name).exists() and not re.match(r"tests/(?!conftest)", name)}


def test_the_tree_has_one_line_a_file():
    assert set(tree_in_readme()) == tree_on_disk()


def test_every_file_in_the_tree_says_what_it_is():
    assert [name for name, description in tree_in_readme().items() if len(description) < 3] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme_and_helps(name):
    assert f"python main.py {name}" in README
    command = group.get_command(None, name)
    assert command.help
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
    assert line.endswith("-m pytest -q")


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
