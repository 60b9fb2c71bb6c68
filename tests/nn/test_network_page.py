"""docs/network.md: its code runs, and prints what it says."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "network.md"
SAYS = "  # → "


def test_the_page_runs_and_prints_what_it_says():
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    shown = 0
    for block in blocks:
        pending = ""
        for line in block.splitlines(keepends=True):
            code, says, expected = line.rstrip("\n").partition(SAYS)
            if not says:
                pending += line
                continue
            exec(pending, names)
            pending = ""
            assert repr(eval(code, names)) == expected, line
            shown += 1
        exec(pending, names)
    assert len(blocks) == 13
    assert shown == 22
