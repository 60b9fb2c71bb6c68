"""docs/scikit-learn.md is true: its snippets run, one after the other, as a reader would type them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "scikit-learn.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_snippets_run():
    assert len(SNIPPETS) == PAGE.count("```") // 2 > 4
    names: dict = {}
    for snippet in SNIPPETS:
        exec(compile(snippet, "docs/scikit-learn.md", "exec"), names)
    assert names["net"].stop_reason_ == "a callback asked for it"


def test_links_and_files_that_it_names_are_there():
    for name in re.findall(r"(?:benchmarks|tests)/[\w/]+\.py", PAGE):
        assert (Path(__file__).parents[2] / name).is_file(), name
