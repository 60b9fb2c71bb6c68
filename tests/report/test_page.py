"""The report page: whole, self-contained, small, and true to the run's own figures."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from pipeline import dataset
from pipeline.errors import DataError, UsageError
from pipeline.jobs import noise_levels as stages
from pipeline.jobs.compare import job as compare
from pipeline.jobs.progress import RunLog
from pipeline.report.page import write_report
from pipeline.report.page_data import read_run
from pipeline.report.style import cell_colours
from pipeline.training import recipe

CONTENT = {
    "network": {"layers": [{"layer": "Flatten"}, {"layer": "Dense", "units": "classes"}]},
    "loss": {"name": "softmax-cross-entropy"},
    "optimizer": {"name": "adam"},
    "schedule": {"name": "constant", "learning_rate": 0.01},
    "training": {"epochs": 2, "batch_size": 32},
}
VOID = {"meta", "img", "br", "link", "input", "hr"}
SVG_SPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


class Page(HTMLParser):
    """Collects addresses and ids, and holds that what opens also closes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.addresses, self.headings, self.words = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.addresses += [attributes[name] for name in ("src", "href", "xlink:href") if name in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        self.words.append(data)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a comparison and a main job's run on the embedded sample: (comparison, main job)."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        sample = dataset.load()
        tiny = recipe.check(CONTENT, name="tiny", where="here")
        test = ("σ 0.1", "σ 0.3", "shift right 1", "shift right 2", "fgsm Linf 0.05", "fgsm Linf 0.1")
        asked = {"repeats": 2, "check_rows": 20, "certify": 0.25, "certify_rows": 10, "certify_samples": 50}
        settings = compare.Settings(tiny, train=("clean", "σ 0.2", "shift"), test=test, **asked)
        comparison = compare.compare(sample, settings, RunLog(quiet=True)).folder
        main = stages.run(sample, stages.Settings(tiny, sigmas=(0.0, 0.2), repeats=2), RunLog(quiet=True)).folder
    return folder / comparison, folder / main


@pytest.fixture(scope="module")
def pages(runs):
    return [write_report(folder) for folder in runs]


@pytest.mark.parametrize("which", [0, 1])
def test_a_page_is_whole_and_needs_nothing_else(pages, which):
    text = pages[which].read_text(encoding="utf-8")
    page = Page(text)
    assert len(text.encode()) < 2_000_000
    assert set(re.findall(r"https?://[^\s\"'<>)]+", text)) <= SVG_SPACES
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert len(set(page.ids)) == len(page.ids)
    assert {address[1:] for address in page.addresses if address[0] == "#"} <= set(page.ids)
    assert "prefers-color-scheme: dark" in text and "@media print" in text and 'name="viewport"' in text
    assert page.headings[:2] == ["Verdicts", "The matrix"]


def test_a_comparisons_page_has_every_part(pages):
    page = Page(pages[0].read_text(encoding="utf-8"))
    assert page.headings == [
        "Verdicts", "The matrix", "Can the attacks be believed?", "Figures", "Certificates", "Calibration",
        "Confusion on clean pictures", "The worst mistakes", "What each test condition looks like", "How to repeat it",
    ]  # fmt: skip
    words = " ".join(page.words)
    assert "EMBEDDED SAMPLE" in words
    for part in ("fingerprint of the data", "python main.py compare", "numpy", "pixels that the test pictures"):
        assert part in words, part


def test_a_main_jobs_page_has_the_mistakes_too(runs, pages):
    page = Page(pages[1].read_text(encoding="utf-8"))
    assert page.headings == [
        "Verdicts", "The matrix", "Figures", "Calibration", "Confusion on clean pictures", "The worst mistakes",
        "What each test condition looks like", "How to repeat it",
    ]  # fmt: skip
    record = json.loads((runs[1] / "run.json").read_text(encoding="utf-8"))
    assert f"Submitted: networks at σ {record['submitted_level']:g}, {record['submitted_because']}." in page.words
    confusion = pd.read_csv(runs[1] / "report" / "confusion.csv")
    part = confusion[confusion["train"] == f"σ {record['submitted_level']:g}"]
    right = part[part["true"] == part["said"]]["rows"].sum()
    assert right / part["rows"].sum() == pytest.approx(record["holdout"]["accuracy"], abs=1e-9)
    assert part["rows"].sum() == record["holdout"]["rows"]
    assert sum(address.startswith("data:") for address in page.addresses) > len(read_run(runs[1]).conditions)


def test_a_main_job_without_its_networks_has_a_page_without_mistakes(runs, pages, tmp_path):
    lean = tmp_path / "lean"
    shutil.copytree(runs[1], lean, ignore=shutil.ignore_patterns("models"))
    page = Page(write_report(lean).read_text(encoding="utf-8"))
    assert page.headings == ["Verdicts", "The matrix", "Figures", "How to repeat it"]


def test_a_cross_validation_has_no_page_and_its_tables_are_named(runs, tmp_path):
    (tmp_path / "run.json").write_text('{"kind": "folds"}', encoding="utf-8")
    with pytest.raises(UsageError, match=r"is a cross-validation, which has no report: its tables are .*folds\.csv"):
        read_run(tmp_path)


def test_every_figure_and_table_lies_beside_it(runs, pages):
    files = {path.name for path in (runs[0] / "report").iterdir()}
    figures = {name[:-4] for name in files if name.endswith(".svg")}
    assert figures == {
        "against-sigma", "against-shift-right", "against-fgsm-Linf", "epochs", "certificates", "calibration", "matrix"
    }  # fmt: skip
    assert {f"{name}.png" for name in figures} <= files
    tables = {name[:-4] for name in files if name.endswith(".csv")}
    assert tables == {
        "matrix", "epochs", "verdicts", "honesty", "confusion", "classes", "calibration", "certificates",
        "certified-rows",
    }  # fmt: skip
    twin = json.loads((runs[0] / "report.json").read_text(encoding="utf-8"))
    assert set(twin["tables"]) == tables and len(twin["verdicts"]) == 2
    assert {path.name for path in (runs[1] / "report").iterdir()} >= {"against-sigma.svg", "epochs.png", "verdicts.csv"}


def test_its_tables_agree_with_the_grid(runs, pages):
    grid = pd.read_csv(runs[0] / "grid.csv")
    mean = grid.groupby(["train", "test"])["accuracy"].mean()
    matrix = pd.read_csv(runs[0] / "report" / "matrix.csv").set_index(["train", "test"])["accuracy"]
    assert np.allclose(matrix, mean.loc[matrix.index], atol=1e-5)

    run = read_run(runs[0])
    confusion = pd.read_csv(runs[0] / "report" / "confusion.csv")
    for place, name in enumerate(run.trained):
        part = confusion[confusion["train"] == name]
        assert part["rows"].sum() == run.holdout
        right = part[part["true"] == part["said"]]["rows"].sum()
        assert right == (run.grid.averaged[place, 0] == run.grid.labels).sum()
    classes = pd.read_csv(runs[0] / "report" / "classes.csv")
    one = confusion[(confusion["train"] == "clean") & (confusion["true"] == 3)].set_index("said")["rows"]
    recall = classes[(classes["train"] == "clean") & (classes["class"] == 3)]["recall"].item()
    assert recall == pytest.approx(one[3] / one.sum(), abs=1e-5)


def test_every_certificate_has_its_line(runs, pages):
    lines = pd.read_csv(runs[0] / "report" / "certified-rows.csv")
    run = read_run(runs[0])
    assert len(lines) == 3 * 10
    for name, found in run.certificates.items():
        part = lines[lines["train"] == name]
        said = [str(run.rows.classes[one]) if one >= 0 else "abstain" for one in found.classes]
        assert part["certified"].astype(str).tolist() == said
        assert np.allclose(part["radius"], found.radius, rtol=1e-5)
        right = (part["certified"].astype(str) == part["true"].astype(str)) & (part["radius"] >= 0.25)
        assert right.mean() == pytest.approx(found.accuracy(run.rows.labels[:10], [0.25])[0])


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("run.json", b"{", "cannot be read"),
        ("run.json", b"[]", "does not hold what a run writes"),
        ("run.json", b'{"kind": "compare"}', "is incomplete"),
        ("held_out.npz", None, "is incomplete"),
        ("held_out.npz", b"PK\x03\x04 no archive", "is incomplete"),
        ("fits/sigma-0.2-repeat-2/result.safetensors", None, "is not a finished fit"),
    ],
)
def test_whatever_is_missing_or_damaged_is_told_in_a_sentence(runs, name, content, sentence):
    path = runs[0] / name
    kept = path.read_bytes()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    try:
        with pytest.raises(DataError, match=sentence):
            read_run(runs[0])
    finally:
        path.write_bytes(kept)


def test_the_same_run_gives_the_same_bytes(runs, pages):
    before = pages[0].read_bytes()
    assert write_report(runs[0]).read_bytes() == before


def test_an_incomplete_run_is_told_and_the_old_page_stays(runs, pages):
    fit = next(runs[0].glob("fits/*/result.safetensors"))
    content, before = fit.read_bytes(), pages[0].read_bytes()
    fit.write_bytes(content[:-5])
    try:
        with pytest.raises(DataError, match="is not a finished fit"):
            write_report(runs[0])
        assert pages[0].read_bytes() == before
    finally:
        fit.write_bytes(content)
    table = runs[1] / "table.csv"
    kept = table.read_bytes()
    table.unlink()
    try:
        with pytest.raises(DataError, match="is incomplete"):
            write_report(runs[1])
    finally:
        table.write_bytes(kept)
    with pytest.raises(UsageError, match="There is no run in"):
        read_run(runs[0] / "nothing")


def test_cells_can_be_read_at_every_accuracy():
    """WCAG AA for normal text: a contrast of at least 4.5 : 1."""

    def luminance(colour):
        parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
        return sum(
            weight * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
            for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
        )

    for share in np.linspace(0, 1, 101):
        low, high = sorted(map(luminance, cell_colours(share)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, share
