"""The notebook runs in a folder laid out like Kaggle's, and the real client pushes it."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import nbclient
import nbformat
import pytest
from kaggle_archive import TEST_ROWS, archive

from pipeline import cli
from pipeline.errors import KaggleError
from pipeline.kaggle.notebook import packed_code, push, write_notebook

QUICK = ["--recipe", "softmax", "--noise", "0", "--repeats", "1", "--jobs", "1"]


def test_it_does_the_main_job_in_kaggles_folders(tmp_path, monkeypatch):
    data, working = tmp_path / "input" / "competitions" / "digit-recognizer", tmp_path / "working"
    working.mkdir()
    zipfile.ZipFile(io.BytesIO(archive())).extractall(data)
    path = write_notebook(tmp_path / "notebook", slug="digit-recognizer", user="stub", arguments=QUICK)
    monkeypatch.setenv("PYTHONPATH", "")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(working)}}).execute()
    with (working / "submission.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["ImageId", "Label"]
    assert [row[0] for row in rows] == [str(number) for number in range(1, TEST_ROWS + 1)]
    assert list((working / "runs").glob("*-softmax-*/run.json"))
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "Submission: submission.csv" in said


def test_the_code_that_travels_is_the_code(tmp_path):
    content = packed_code()
    assert content == packed_code()
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert {"main.py", "pipeline/report/page.css", "recipes/default.toml"} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "data/", "runs/")) or "__pycache__" in name]
    assert len(content) < 700_000, "Kaggle takes notebooks of 1 MB"


def test_pushed_by_the_real_client_after_a_question(server, signed_in, capfd, monkeypatch):
    monkeypatch.setattr("pipeline.kaggle.client.WAIT_SECONDS", 600)

    def type_in(*words):
        with pytest.raises(SystemExit) as end:
            cli.main(["notebook", "--competition", "Kannada-MNIST", *words])
        return end.value.code

    assert type_in("--push") == 2
    assert "There is nobody to ask" in capfd.readouterr().err
    assert server.calls == []
    assert type_in("--push", "--yes", "--", "--recipe", "cnn") == 0
    assert "successfully pushed" in capfd.readouterr().out
    sent = server.bodies[-1]
    assert (sent["slug"], sent["language"], sent["kernelType"]) == (
        "stub/inkproof-on-kannada-mnist",
        "python",
        "notebook",
    )
    assert sent["competitionDataSources"] == ["Kannada-MNIST"]
    assert (sent["isPrivate"], sent["enableInternet"]) == (True, False)
    assert "command += ['--recipe', 'cnn']" in json.loads(sent["text"])["cells"][2]["source"]


def test_a_push_that_kaggle_refuses(server, signed_in, tmp_path):
    write_notebook(tmp_path, slug="digit-recognizer", user="stub")
    server.kernel = {"error": "Maximum batch CPU session count of 5 reached."}
    with pytest.raises(KaggleError, match=r"did not take .*Maximum batch CPU session count"):
        push(tmp_path, "digit-recognizer")
