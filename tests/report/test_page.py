"""The report page: whole, self-contained, small, and true to the run's own figures."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from pipeline import dataset
from pipeline.errors import DataError, UsageError
from pipeline.report.page import write_report
from pipeline.report.page_data import read_record
from pipeline.report.page_pictures import data_uri, worst_mistakes
from pipeline.report.read_run import run_data
from pipeline.report.style import cell_colours

KINDS = ("main", "compare", "folds", "tune")
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


def page_of(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def data_of(folder):
    return run_data(folder, read_record(folder))


def table_of(folder, name):
    return pd.read_csv(folder / "report" / f"{name}.csv")


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_whole_and_needs_nothing_else(runs, kind):
    text = (runs[kind] / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert len(text.encode()) < 2_000_000
    assert set(re.findall(r"https?://[^\s\"'<>)]+", text)) <= SVG_SPACES
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert len(set(page.ids)) == len(page.ids)
    assert {address[1:] for address in page.addresses if address[0] == "#"} <= set(page.ids)
    assert "prefers-color-scheme: dark" in text and "@media print" in text and 'name="viewport"' in text
    words = " ".join(page.words)
    for part in ("EMBEDDED SAMPLE", "fingerprint of the data", "python main.py", "numpy", runs[kind].name):
        assert part in words, part


def test_a_comparisons_page_has_every_part(runs):
    page = page_of(runs["compare"])
    assert page.headings == [
        "Verdicts", "The matrix", "Can the attacks be believed?", "Figures", "Certificates", "Calibration",
        "Confusion on clean pictures", "The worst mistakes", "What each test condition looks like", "How to repeat it",
    ]  # fmt: skip
    assert "pixels that the test pictures" in " ".join(page.words)


def test_a_main_jobs_page_has_the_mistakes_too(runs):
    page = page_of(runs["main"])
    assert page.headings == [
        "Verdicts", "The matrix", "Figures", "Calibration", "Confusion on clean pictures", "The worst mistakes",
        "What each test condition looks like", "How to repeat it",
    ]  # fmt: skip
    record = read_record(runs["main"])
    assert f"Submitted: networks at σ {record['submitted_level']:g}, {record['submitted_because']}." in page.words
    confusion = table_of(runs["main"], "confusion")
    part = confusion[confusion["train"] == f"σ {record['submitted_level']:g}"]
    right = part[part["true"] == part["said"]]["rows"].sum()
    assert right / part["rows"].sum() == pytest.approx(record["holdout"]["accuracy"], abs=1e-9)
    assert part["rows"].sum() == record["holdout"]["rows"]
    assert sum(address.startswith("data:") for address in page.addresses) > len(data_of(runs["main"]).conditions)


def test_a_page_needs_the_networks_for_nothing_but_attacked_pictures(runs, tmp_path):
    for kind in ("main", "folds", "compare"):
        lean = tmp_path / kind
        shutil.copytree(runs[kind], lean, ignore=shutil.ignore_patterns("models", "fits", "report*"))
        write_report(lean)
        assert page_of(lean).headings == page_of(runs[kind]).headings
    assert (tmp_path / "main" / "report.json").read_bytes() == (runs["main"] / "report.json").read_bytes()
    words = page_of(tmp_path / "compare").words
    assert words.count("shift right 1") > words.count("fgsm Linf 0.1") > 0


def test_a_cross_validations_page_has_its_members_and_what_its_ensemble_got_wrong(runs):
    folder = runs["folds"]
    page, record = page_of(folder), read_record(folder)
    assert page.headings == [
        "Members and their ensemble", "Figures", "Calibration", "Confusion on clean pictures", "The worst mistakes",
        "How to repeat it",
    ]  # fmt: skip
    assert "What the folds' networks reach" in page.words
    by_fold = pd.read_csv(folder / "folds.csv").groupby("name")["accuracy"]
    for name in ("tiny", "all together"):
        line = page.words[page.words.index(name) :]
        assert line[1] == "3"
        assert line[2].startswith(f"{100 * by_fold.mean()[name]:.2f} ± ")
        assert line[3:5] == [f"{100 * by_fold.min()[name]:.2f}", f"{100 * by_fold.max()[name]:.2f}"]
    words = " ".join(page.words)
    assert f"{100 * record['holdout']['accuracy']:.2f} %" in words  # on rows that no fold had
    assert "The networks that did not see a row, averaged." in words and "First repeat" not in words

    confusion = table_of(folder, "confusion")
    together = confusion[confusion["train"] == "all together"]
    right = together[together["true"] == together["said"]]["rows"].sum()
    assert together["rows"].sum() == 1298
    assert right / 1298 == pytest.approx(record["out_of_fold"]["value"], abs=1e-9)
    with np.load(folder / "out_of_fold.npz") as arrays:
        classes = np.unique(arrays["labels"])
        assert right == (classes[arrays["ensemble"].argmax(axis=1)] == arrays["labels"]).sum()
    assert {path.stem for path in (folder / "report").glob("*.csv")} == {
        "epochs",
        "confusion",
        "classes",
        "calibration",
    }
    assert {path.stem for path in (folder / "report").glob("*.svg")} == {"folds", "epochs", "calibration"}
    epochs = table_of(folder, "epochs")
    assert len(epochs) == 3 * 2 and epochs["train"].unique().tolist() == ["tiny"]


def test_a_cross_validation_shows_the_pictures_of_its_surest_mistakes(runs, tmp_path, monkeypatch):
    run = data_of(runs["folds"])
    place = run.trained.index("all together")
    assert run.shown == place
    shown = worst_mistakes(run, place)
    wrong = run.rows.averaged[place].argmax(axis=1) != run.rows.labels
    assert len(shown) == min(12, wrong.sum()) and all(wrong[one["row"]] for one in shown)
    monkeypatch.chdir(tmp_path)
    train = dataset.load().train
    with np.load(runs["folds"] / "out_of_fold.npz") as arrays:
        rows = arrays["rows"]
    assert [one["picture"] for one in shown] == [data_uri(train.images[rows[one["row"]]]) for one in shown]
    assert [one["true"] for one in shown] == [str(train.classes[train.labels[rows[one["row"]]]]) for one in shown]


def test_a_searchs_page_has_its_best_trials_and_its_figures(runs):
    folder = runs["tune"]
    page = page_of(folder)
    assert page.headings == ["The best trials", "Figures", "How to repeat it"]
    assert "What the search came to" in page.words
    trials = pd.read_csv(folder / "trials.csv").sort_values(["accuracy_percent"], ascending=False, kind="stable")
    for _, trial in trials.iterrows():
        name = f"{trial['trial']}, the recipe" if trial["trial"] == 0 else str(trial["trial"])
        cell = page.words[page.words.index(name) + 1]
        assert cell == f"{trial.accuracy_percent:.2f} ({trial.low_percent:.2f} to {trial.high_percent:.2f})"
    text = (folder / "report.html").read_text(encoding="utf-8")
    drawn = {path.stem for path in folder.glob("*.svg")}
    assert drawn == {"history", "epochs", "slices", "parallel"}  # the importances need ten trials
    assert text.count("<figure") == text.count("<svg") == 4
    assert "winner's curse" in " ".join(page.words)
    assert "trials.csv lie beside this page" in " ".join(page.words)
    assert not (folder / "report").exists()


def test_every_figure_and_table_lies_beside_it(runs):
    files = {path.name for path in (runs["compare"] / "report").iterdir()}
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
    twin = json.loads((runs["compare"] / "report.json").read_text(encoding="utf-8"))
    assert set(twin["tables"]) == tables and len(twin["verdicts"]) == 2
    assert twin["record"] == read_record(runs["compare"])
    assert {path.name for path in (runs["main"] / "report").iterdir()} >= {
        "against-sigma.svg", "epochs.png", "verdicts.csv"
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["main", "compare"])
def test_its_tables_agree_with_the_grid(runs, kind):
    folder = runs[kind]
    mean = pd.read_csv(folder / "grid.csv").groupby(["train", "test"])["accuracy"].mean()
    matrix = table_of(folder, "matrix").set_index(["train", "test"])["accuracy"]
    assert np.allclose(matrix, mean.loc[matrix.index], atol=1e-5)

    run = data_of(folder)
    confusion = table_of(folder, "confusion")
    for place, name in enumerate(run.trained):
        part = confusion[confusion["train"] == name]
        assert part["rows"].sum() == run.holdout
        right = part[part["true"] == part["said"]]["rows"].sum()
        assert right == (run.grid.averaged[place, 0] == run.grid.labels).sum()
    classes = table_of(folder, "classes")
    first = run.trained[0]
    one = confusion[(confusion["train"] == first) & (confusion["true"] == 3)].set_index("said")["rows"]
    recall = classes[(classes["train"] == first) & (classes["class"] == 3)]["recall"].item()
    assert recall == pytest.approx(one[3] / one.sum(), abs=1e-5)


def test_every_certificate_has_its_line(runs):
    lines = table_of(runs["compare"], "certified-rows")
    run = data_of(runs["compare"])
    assert len(lines) == 3 * 10
    for name, found in run.certificates.items():
        part = lines[lines["train"] == name]
        said = [str(run.rows.classes[one]) if one >= 0 else "abstain" for one in found.classes]
        assert part["certified"].astype(str).tolist() == said
        assert np.allclose(part["radius"], found.radius, rtol=1e-5)
        right = (part["certified"].astype(str) == part["true"].astype(str)) & (part["radius"] >= 0.25)
        assert right.mean() == pytest.approx(found.accuracy(run.rows.labels[:10], [0.25])[0])


NO_ARCHIVE = b"PK\x03\x04 no archive"


@pytest.mark.parametrize(
    ("kind", "name", "content", "sentence"),
    [
        ("compare", "run.json", b"{", "cannot be read"),
        ("compare", "run.json", b"[]", "does not hold what a run writes"),
        ("compare", "run.json", b'{"seed": NaN}', "cannot be read"),
        ("main", "run.json", b'{"seed": 1e999}', "cannot be read"),
        ("compare", "run.json", b'{"kind": "compare"}', "is incomplete"),
        ("tune", "run.json", b'{"kind": "tune"}', "is incomplete"),
        ("folds", "run.json", b'{"kind": "folds"}', "is incomplete"),
        ("main", "run.json", b"{}", "is incomplete"),
        *(
            (kind, name, content, "is incomplete")
            for kind, names in (
                ("compare", ("held_out.npz", "evaluation.npz", "grid.npz", "certificates.npz")),
                ("main", ("held_out.npz", "grid.npz")),
                ("folds", ("evaluation.npz",)),
            )
            for name in names
            for content in (None, b"", NO_ARCHIVE)
        ),
        ("compare", "history/sigma-0.2-repeat-2.jsonl", None, "is incomplete"),
        ("main", "history/sigma-0-repeat-1.jsonl", b'{"epoch": 1', "is incomplete"),
        ("folds", "history/tiny-repeat-1-fold-2.jsonl", None, "is incomplete"),
    ],
)
def test_whatever_is_missing_or_damaged_is_told_in_a_sentence(runs, kind, name, content, sentence):
    path = runs[kind] / name
    kept, before = path.read_bytes(), (runs[kind] / "report.html").read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    try:
        with pytest.raises(DataError, match=sentence):
            write_report(runs[kind])
        assert (runs[kind] / "report.html").read_bytes() == before  # the old page stays
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("name", ["grid.npz", "held_out.npz"])
def test_no_byte_that_is_changed_in_an_archive_is_a_traceback(runs, name):
    path = runs["main"] / name
    kept = path.read_bytes()
    try:
        for place in range(0, len(kept), max(1, len(kept) // 60)):
            path.write_bytes(kept[:place] + bytes([kept[place] ^ 0x55]) + kept[place + 1 :])
            with contextlib.suppress(DataError):  # bytes that nobody reads may change
                data_of(runs["main"])
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_run_gives_the_same_bytes(runs, kind):
    files = [path for path in runs[kind].glob("report*") if path.is_file()]
    files += (runs[kind] / "report").glob("*.csv")
    before = {path: path.read_bytes() for path in files}
    write_report(runs[kind])
    assert len(before) >= 2 and {path: path.read_bytes() for path in files} == before


def test_a_folder_that_is_not_there_is_told(runs):
    with pytest.raises(UsageError, match="There is no run in"):
        write_report(runs["main"] / "nothing")
    with pytest.raises(DataError, match=r"has not ended: let it end, or go on with it, its command with --resume"):
        write_report(runs["main"] / "models")


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
