import io
import re

import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

from pipeline.evaluation.statistics import compare_to_baseline
from pipeline.report.tables import grid_csv, markdown_report, table_csv, terminal_report
from pipeline.report.wording import p_text, signed


def printed(grid, width=80, *, data="digits", sample=False, console=None) -> str:
    comparisons = compare_to_baseline(grid, grid.trained[0], (grid.conditions[0], grid.conditions[-2]))
    console = console or Console(file=io.StringIO(), width=width)
    console.print(terminal_report(grid, comparisons, data=data, sample=sample, width=width))
    return console.file.getvalue()


def words(text: str) -> str:
    """The text with every run of white space as one space, so that line breaks do not matter."""
    return " ".join(text.split())


def test_markdown_word_for_word(make_grid):
    # Misses of 15, 16, 17 of 1,000 rows: 98.4 %, nearly Wilson's interval of 984 in 1,000 (97.41 to 99.02). Under σ 0.3
    # 704 rows of 1,000 differ, as t over rows has it at Bonferroni's 2.5 %: 70.4 ± 2.245 · 1.443 · √(1 + 2/704).
    grid = make_grid()
    text = markdown_report(grid, compare_to_baseline(grid, "σ 0", ("clean", "σ 0.3")), data="digits")
    assert text == (
        "**Accuracy in %: how it was trained (down) × what it was tested on (across)**\n"
        "\n"
        "|  | clean | σ 0.1 | σ 0.2 | σ 0.3 | σ 0.5 |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| σ 0 | 98.40 97.43–99.01 | 93.50 91.80–94.87 | 51.90 48.80–54.99 | 25.90 23.28–28.71 | 14.90 12.83–17.24 |\n"
        "| σ 0.1 | 98.50 97.55–99.08 | 98.30 97.30–98.93 | 97.50 96.34–98.30 | 96.30 94.95–97.30 "
        "| 82.90 80.44–85.11 |\n"
        "\n"
        "- Data: digits. Accuracy in % on 1,000 holdout rows, the same for every model.\n"
        "- Beside each accuracy, the mean of 3 networks: 95 % interval for what networks trained so reach on rows like "
        "these, for the luck of the rows and of the training seeds together.\n"
        "- σ: standard deviation of the noise, in units of the [0, 1] pixel scale.\n"
        "\n"
        "**Tested on clean: against σ 0**\n"
        "\n"
        "| trained | verdict | points (interval) | p |\n"
        "| --- | --- | --- | --- |\n"
        "| σ 0.1 | no difference that 3 repeats on 1,000 rows can show | +0.10 (−0.12 to +0.32) | 0.211 |\n"
        "\n"
        "**Tested on σ 0.3: against σ 0**\n"
        "\n"
        "| trained | verdict | points (interval) | p |\n"
        "| --- | --- | --- | --- |\n"
        "| σ 0.1 | better | +70.40 (+67.15 to +73.65) | <0.001 |\n"
        "\n"
        "- points: difference of mean accuracy to σ 0, on the same rows. In brackets its interval, for the luck of the "
        "rows and the training seeds together: 95 % for one comparison, wider for several, so that it leaves out 0 "
        "exactly where p is below 0.05.\n"
        "- p: how often chance alone would do as much, by the same analysis, Holm-corrected over these 2 comparisons: "
        "where no way of training differs, 19 tables of 20 say so throughout.\n"
        "- better, worse: p is below 0.05. It is about the way of training, not these networks alone.\n"
        "- With 3 repeats on 1,000 rows a true difference to σ 0 is found four times in five if it is at least: "
        "0.30 points on clean, 4.46 points on σ 0.3. "
        "A smaller one may be there.\n"
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
    assert tables.count("97.43–99.01" if repeats == 3 else "97.54–99.09") == 4


def test_terminal_puts_the_interval_beside_or_below(make_grid):
    assert re.search(r"σ 0 +98\.40 97\.43–99\.01 +93\.50 91\.80–94\.87", printed(make_grid(), 110))
    assert re.search(r"σ 0 +98\.40 +93\.50 .*\n +97\.43–99\.01 +91\.80–94\.87 ", printed(make_grid(), 75))


def test_too_many_columns_go_into_a_further_table(make_grid):
    text = printed(make_grid(), 36)
    # 7 columns for the names, 13 for each condition: two side by side
    first_lines = re.findall(r"^ *σ 0 +(\d.*\d) *$", text, flags=re.MULTILINE)
    assert [line.split() for line in first_lines] == [["98.40", "93.50"], ["51.90", "25.90"], ["14.90"]]


def test_a_terminal_too_narrow_for_one_cell_still_shows_every_digit(make_grid):
    text = printed(make_grid(repeats=1), 14)
    assert "…" not in text
    assert "".join(text.split()).count("98.50") == "".join(printed(make_grid(repeats=1)).split()).count("98.50")


def test_what_can_be_found_is_that_of_the_least_certain_comparison(make_grid):
    # On clean rows 1 and 15 of 1,000 rows differ; Bonferroni's 2.24 or 1.96 and Φ⁻¹(0.8) 0.84 standard errors of these.
    grid = make_grid(((15, 64, 480), (14, 20, 30), (30, 30, 30)))
    text = markdown_report(grid, compare_to_baseline(grid, "σ 0", ["clean"]), data="digits")
    assert "is found four times in five if it is at least: 1.25 points on clean." in text


def test_terminal_says_the_same_as_markdown(make_grid):
    grid = make_grid()
    comparisons = compare_to_baseline(grid, "σ 0", ("clean", "σ 0.3"))
    markdown = markdown_report(grid, comparisons, data="digits")
    text = words(printed(grid, 110))
    for line in markdown.splitlines():
        if line.startswith("- "):
            assert words(line[2:]) in text
    assert "no difference that 3 repeats on 1,000 rows can show +0.10 (−0.12 to +0.32) 0.211" in text


def test_one_repeat_speaks_of_the_networks_alone(make_grid):
    text = words(printed(make_grid(repeats=1), 110))
    assert "95 % Wilson interval of the one network" in text
    assert "these two networks: more rows right" in text
    assert "One repeat: this is about these networks" in text
    assert "better" not in text and "training seeds" not in text


def test_two_repeats_are_called_too_few_and_show_nothing_impossible(make_grid):
    text = words(printed(make_grid(repeats=2), 110))
    assert text.count("two repeats are too few for a verdict") == 2
    assert "Two repeats are too few" in text and "± " not in text
    figures = [float(figure.replace("−", "-")) for figure in re.findall(r"[−+]?\d+\.\d\d", text)]
    assert all(-100 <= figure <= 100 for figure in figures)


def test_one_level_has_nothing_to_be_compared_with(make_grid):
    assert "nothing to compare it with" in words(printed(make_grid(((15, 64, 480, 740, 850),))))


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
    assert first["high_percent"] == pytest.approx(99.01, abs=0.01)  # Wilson's of 984 in 1,000
    assert set(table["interval"]) == {"95 % over rows and seeds"}

    lines = grid_csv(make_grid()).splitlines()
    assert lines[:2] == ["train,repeat,test,rows,correct,accuracy", "σ 0,1,clean,1000,985,0.985000"]
    assert len(lines) == 1 + 2 * 3 * 5


def test_rounding_never_carries_a_p_value_over_the_border():
    assert [p_text(p) for p in (0.0004, 0.0123, 0.0499, 0.04996, 0.0501, 1)] == [
        "<0.001", "0.012", "0.0499", "0.0500", "0.0501", "1.000",
    ]  # fmt: skip


@pytest.mark.parametrize(("points", "text"), [(0.0, "0.00"), (0.004, "+0.004"), (-0.004, "−0.004"), (-1.234, "−1.23")])
def test_rounding_never_makes_a_difference_nothing(points, text):
    assert signed(points) == text
