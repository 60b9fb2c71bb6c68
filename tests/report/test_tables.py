import io
import re

import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

from pipeline.evaluation.statistics import compare_to_baseline
from pipeline.report.tables import grid_csv, markdown_report, table_csv, terminal_report
from pipeline.report.wording import p_text


def printed(grid, width=80, *, data="digits", sample=False, console=None) -> str:
    comparisons = compare_to_baseline(grid, grid.trained[0], (grid.conditions[0], grid.conditions[-2]))
    console = console or Console(file=io.StringIO(), width=width)
    console.print(terminal_report(grid, comparisons, data=data, sample=sample, width=width))
    return console.file.getvalue()


def words(text: str) -> str:
    """The text with every run of white space as one space, so that line breaks do not matter."""
    return " ".join(text.split())


def test_markdown_word_for_word(make_grid):
    # Misses of 15, 16, 17 of 1,000 rows: mean 98.4 %, s 0.1 points, 4.303 · 0.1 / √3 = 0.25.
    grid = make_grid()
    text = markdown_report(grid, compare_to_baseline(grid, "σ 0", ("clean", "σ 0.3")), data="digits")
    assert text == (
        "**Accuracy in %: how it was trained (down) × what it was tested on (across)**\n"
        "\n"
        "|  | clean | σ 0.1 | σ 0.2 | σ 0.3 | σ 0.5 |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| σ 0 | 98.40 ± 0.25 | 93.50 ± 0.25 | 51.90 ± 0.25 | 25.90 ± 0.25 | 14.90 ± 0.25 |\n"
        "| σ 0.1 | 98.50 ± 0.25 | 98.30 ± 0.25 | 97.50 ± 0.25 | 96.30 ± 0.25 | 82.90 ± 0.25 |\n"
        "\n"
        "- Data: digits. Accuracy in % on 1,000 holdout rows, the same for every model.\n"
        "- ±: 95 % t-interval of the mean over 3 repeats (the luck of the training seed). Other holdout rows "
        "would move a cell as well, by about ±0.77 points at 98.50 %, more at lower accuracy.\n"
        "- σ: standard deviation of the noise, in units of the [0, 1] pixel scale.\n"
        "\n"
        "**Tested on clean: against σ 0**\n"
        "\n"
        "| trained | verdict | points (95 % interval) | won / lost | p |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| σ 0.1 | no difference that 1,000 rows can show | +0.10 (−0.01 to +0.21) | 1 / 0 | 1.000 |\n"
        "\n"
        "**Tested on σ 0.3: against σ 0**\n"
        "\n"
        "| trained | verdict | points (95 % interval) | won / lost | p |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| σ 0.1 | better | +70.40 (+67.57 to +73.23) | 704 / 0 | <0.001 |\n"
        "\n"
        "- points: difference of mean accuracy to σ 0, on the same rows, with a 95 % interval for the luck "
        "of the rows and of the training seeds.\n"
        "- won / lost: rows that only this model, only σ 0 gets right, each with its repeats averaged.\n"
        "- p: exact McNemar test of won against lost, Holm-corrected over these 2 comparisons.\n"
        "- better, worse: only where p is below 0.05 and the interval leaves out 0.\n"
        "- The smallest difference to σ 0 that these 1,000 rows can show: 0.60 points on clean, 5.40 points "
        "on σ 0.3.\n"
    )


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("width", [60, 80, 100])
def test_terminal_never_exceeds_its_width_nor_loses_a_digit(make_grid, repeats, width):
    grid = make_grid(((15, 64, 480, 740, 850),) * 4, repeats=repeats)
    text = printed(grid, width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    tables = text[: text.index("Data:")]
    values = ("98.40", "93.50", "51.90", "25.90", "14.90") if repeats == 3 else ("98.50", "93.60", "15.00")
    assert [tables.count(value) for value in values] == [4] * len(values)
    assert tables.count("± 0.25" if repeats == 3 else "97.54–99.09") == (20 if repeats == 3 else 4)


def test_terminal_puts_the_interval_beside_or_below(make_grid):
    assert re.search(r"σ 0 +98\.40 ± 0\.25 +93\.50 ± 0\.25", printed(make_grid(), 100))
    assert re.search(r"σ 0 +98\.40 +93\.50 .*\n +± 0\.25 +± 0\.25 ", printed(make_grid(), 60))


def test_too_many_columns_go_into_a_further_table(make_grid):
    text = printed(make_grid(), 30)
    # 7 columns for the names, 8 for each condition: two side by side
    first_lines = re.findall(r"^ *σ 0 +(\d.*\d) *$", text, flags=re.MULTILINE)
    assert [line.split() for line in first_lines] == [["98.40", "93.50"], ["51.90", "25.90"], ["14.90"]]


def test_a_terminal_too_narrow_for_one_cell_still_shows_every_digit(make_grid):
    text = printed(make_grid(repeats=1), 14)
    assert "…" not in text
    assert "".join(text.split()).count("98.50") == "".join(printed(make_grid(repeats=1)).split()).count("98.50")


def test_the_smallest_difference_is_the_smallest_of_all_comparisons(make_grid):
    # On clean rows 1 and 15 rows are discordant: at least 6, and 3 against 12, can be seen.
    grid = make_grid(((15, 64, 480), (14, 20, 30), (30, 30, 30)))
    text = markdown_report(grid, compare_to_baseline(grid, "σ 0", ["clean"]), data="digits")
    assert "The smallest difference to σ 0 that these 1,000 rows can show: 0.60 points on clean." in text


def test_terminal_says_the_same_as_markdown(make_grid):
    grid = make_grid()
    comparisons = compare_to_baseline(grid, "σ 0", ("clean", "σ 0.3"))
    markdown = markdown_report(grid, comparisons, data="digits")
    text = words(printed(grid, 110))
    for line in markdown.splitlines():
        if line.startswith("- "):
            assert words(line[2:]) in text
    assert "no difference that 1,000 rows can show +0.10 (−0.01 to +0.21) 1 / 0 1.000" in text


def test_one_repeat_is_told_as_such(make_grid):
    text = words(printed(make_grid(repeats=1), 110))
    assert "95 % Wilson interval of the one model" in text
    assert "better (with this one seed)" in text
    assert "One repeat: another training seed could change every verdict" in text
    assert "training seeds" not in text and "averaged" not in text


def test_one_level_has_nothing_to_be_compared_with(make_grid):
    text = words(printed(make_grid(((15, 64, 480, 740, 850),))))
    assert "nothing to compare it with" in text
    # 98.4 %: independent mistakes give 2 · 0.984 · 0.016 · 1000 = 31 rows,
    # of which 9 against 22 are seen and 10 against 21 are not
    assert "these 1,000 rows can show: 1.30 points on clean" in text


@pytest.mark.parametrize("make_text", [printed, lambda grid, **kind: markdown_report(grid, [], **kind)])
def test_the_sample_is_named_first(make_grid, make_text):
    said = "EMBEDDED SAMPLE, not your competition's data"
    assert make_text(make_grid(), data="8×8", sample=True).lstrip("*").startswith(said)
    assert said not in make_text(make_grid(), data="8×8")


def test_brackets_in_a_name_are_no_markup(make_grid):
    assert "Data: [red]a[/red]." in printed(make_grid(), data="[red]a[/red]")


def test_no_color_is_honoured_and_loses_no_word(make_grid, monkeypatch):
    def on_terminal() -> str:
        console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
        return printed(make_grid(), console=console)

    monkeypatch.setenv("NO_COLOR", "1")
    text = on_terminal()
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|4[0-7]|38|48|9[0-7])m", text)
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == printed(make_grid())


def test_csv_read_back(make_grid):
    table = pd.read_csv(io.StringIO(table_csv(make_grid())))
    assert list(table.columns) == [
        "train", "test", "repeats", "rows", "accuracy_percent", "low_percent", "high_percent", "interval",
    ]  # fmt: skip
    assert len(table) == 10
    first = table.iloc[0]
    assert (first["train"], first["test"], first["repeats"], first["rows"]) == ("σ 0", "clean", 3, 1000)
    assert first["accuracy_percent"] == pytest.approx(98.4)
    assert first["high_percent"] - first["accuracy_percent"] == pytest.approx(0.2484, abs=1e-4)
    assert set(table["interval"]) == {"95 % t over repeats"}

    lines = grid_csv(make_grid()).splitlines()
    assert lines[:2] == ["train,repeat,test,rows,correct,accuracy", "σ 0,1,clean,1000,985,0.985000"]
    assert len(lines) == 1 + 2 * 3 * 5


def test_rounding_never_carries_a_p_value_over_the_border():
    assert [p_text(p) for p in (0.0004, 0.0123, 0.0499, 0.04996, 0.0501, 1)] == [
        "<0.001", "0.012", "0.0499", "0.0500", "0.0501", "1.000",
    ]  # fmt: skip
