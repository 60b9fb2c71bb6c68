"""Options that several commands share: the same three wherever data are read, and they reach the reader."""

from __future__ import annotations

import importlib

import pytest

from pipeline.cli import COMMANDS, main

# fetch writes to its --data, the others read from it.
READING = [name for name in COMMANDS if name not in ("fetch", "recipes", "report", "leaderboard", "runs", "predict",
                                                     "export", "notebook")]  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_reads_data_takes_the_columns_names(name):
    options = {word for param in importlib.import_module(f"pipeline.cli.{name}").command.params for word in param.opts}
    wanted = {"--data", "--label-column", "--id-column"}
    assert (wanted <= options) == (name in READING), options


@pytest.fixture
def unusual(tmp_path, monkeypatch):
    """A competition of 2×2 pictures whose label and id columns have names of their own."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{row % 2},{row},{row + 9},0,7\n" for row in range(20))
    (tmp_path / "train.csv").write_text(f"digit,a,b,c,d\n{rows}")
    (tmp_path / "test.csv").write_text("key,a,b,c,d\n30,1,2,3,4\n20,5,6,7,8\n")
    (tmp_path / "mine.csv").write_text("key,digit\n30,1\n20,0\n")
    return ["--data", str(tmp_path), "--label-column", "digit", "--id-column", "key"]


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["check", "mine.csv"], "mine.csv: 2 rows, fit for"),
        (["show", "--recipe", "softmax", "--rows", "2", "--draws", "2"], "Contact sheet of 2 pictures"),
        (["twins", "--recipe", "softmax", "--rows", "4", "--epochs", "1"], "The twins agree"),
    ],
)
def test_the_names_reach_the_reader(unusual, capsys, words, printed):
    main_or_exit(words + unusual)
    assert printed in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(words + unusual[:2])  # without the names the same files are no competition
    assert "no column named 'label'" in capsys.readouterr().err


def main_or_exit(words: list[str]) -> None:
    try:
        main(words)
    except SystemExit as end:
        assert not end.code, words


@pytest.mark.parametrize(
    "words",
    [["predict", "x.png", "--model"], ["serve", "--model"], ["report"], ["runs", "show"], ["--data"], ["--recipe"],
     ["check"], ["--data", ".", "--extra"], ["export"]],
)  # fmt: skip
def test_a_name_that_is_longer_than_names_may_be(unusual, capsys, words):
    with pytest.raises(SystemExit) as end:
        main([*words, "a" * 300])
    assert end.value.code in (1, 2)
    assert capsys.readouterr().err.startswith("Error: ")
