"""One self-contained HTML file about a run, with every figure as SVG and PNG, every table as CSV, and a JSON twin.

page.html is the template and page.css its look; this file brings them together with what the run holds.
"""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import storage
from pipeline.evaluation.statistics import Estimate
from pipeline.report.curves import figures
from pipeline.report.ensemble import HEAD, lines, sentences
from pipeline.report.figures import save_figure
from pipeline.report.page_data import RunData, damage_told, read_record
from pipeline.report.page_pictures import strips, worst_mistakes
from pipeline.report.page_tables import confusion, tables
from pipeline.report.read_run import run_data
from pipeline.report.style import cell_colours
from pipeline.report.summary import claim, verdicts
from pipeline.report.tables import csv_text
from pipeline.report.wording import SAMPLE_WARNING, SIGMA, interval_sentence, p_text, power_notes, signed

HERE = Path(__file__).parent
# Kind of job → the page's heading.
HEADINGS = {
    "main": "What noise in training does",
    "compare": "What training does to robustness",
    "folds": "What the folds' networks reach",
    "blend": "What the runs reach together",
    "tune": "What the search came to",
}
SEARCH_FIGURES = {
    "history": "The course of the search",
    "epochs": "Every trial as it went",
    "slices": "Each setting against the score",
    "parallel": "All settings together",
    "importances": "Which settings mattered",
}
MOST_CLASSES = 30  # of a confusion matrix that a page can show
LARGEST_PAGE = 2_000_000  # bytes
NARROW = 450  # points of a figure's width
# What matplotlib writes → a name of page.css that is another colour in the dark.
INKS = {
    "#000000": "--ink",
    "#ffffff": "--paper",
    "#444444": "--soft",
    "#666666": "--line",
    "#e3e3e3": "--grid",
    "#0072b2": "--blue",
}


def write_report(folder: Path, record: Mapping[str, Any] | None = None) -> Path:
    """Write `folder`/report.html, report.json and report/ for the run in that folder; the page's path.

    record: what its run.json holds or will hold; None reads the file. Raises UsageError or DataError for a folder that
    holds no finished run, StorageError by the disk.
    """
    if record is not None:
        return _write(run_data(folder, json.loads(json.dumps(record))))
    kept = read_record(folder)
    with damage_told(folder, kept):
        return _write(run_data(folder, kept))


def _write(run: RunData) -> Path:
    folder = run.folder
    contents = tables(run)
    for name, records in contents.items():
        storage.write_text(folder / "report" / f"{name}.csv", csv_text(records, floats=".6g"))
    drawn = []
    for name, title, figure in figures(run):
        _, vector = save_figure(figure, folder / "report" / name)
        if name != "matrix":  # the page has it as a table
            drawn.append((title, _inline(vector.read_text(encoding="utf-8"), name)))
    for name, title in SEARCH_FIGURES.items() if run.kind == "tune" else ():
        if (folder / f"{name}.svg").exists():
            drawn.append((title, _inline((folder / f"{name}.svg").read_text(encoding="utf-8"), name)))
    plain = {
        name: [{key: _plain(cell) for key, cell in line.items()} for line in records]
        for name, records in contents.items()
    }
    twin = {"record": dict(run.record), "tables": plain, "verdicts": verdicts(run.comparisons)}
    storage.write_json(folder / "report.json", twin)
    text = _page(run, contents, drawn)
    if len(text.encode()) > LARGEST_PAGE:
        # Figures are the largest part, and lie beside the page as files.
        text = _page(run, contents, drawn[:2])
    storage.write_text(folder / "report.html", text)
    return folder / "report.html"


def _page(run: RunData, contents: dict[str, list[dict[str, Any]]], drawn: list[tuple[str, str]]) -> str:
    from markupsafe import Markup

    rows, record = run.rows, run.record
    shown = rows is not None and len(rows.classes) <= MOST_CLASSES
    on_clean = [one for one in run.comparisons if one.condition == "clean"]
    ensemble = None
    if run.summary is not None:
        ensemble = {"head": HEAD, "lines": lines(run.summary.scores), "notes": sentences(run.summary)}
    return render(
        "page.html",
        heading=HEADINGS[run.kind],
        ensemble=ensemble,
        search=None if run.kind != "tune" else {**record["table"], "notes": record["notes"]},
        css=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        run=run,
        record=record,
        warning=SAMPLE_WARNING if record["data"]["sample"] else "",
        sigma=SIGMA,
        verdicts=verdicts(run.comparisons),
        claim=claim(run.comparisons, run.attacks) + power_notes(on_clean),
        intervals=interval_sentence(run.repeats),
        matrix=list(zip(run.conditions, zip(*run.cells, strict=True), strict=True)),
        strips={} if rows is None or run.grid is None else strips(run, run.conditions),
        figures=[(title, Markup(svg)) for title, svg in drawn],
        confusions=[(name, confusion(run, place).tolist()) for place, name in enumerate(run.trained)] if shown else [],
        mistakes=[(name, worst_mistakes(run, place)) for place, name in enumerate(run.trained)] if rows else [],
        classes=[str(name) for name in rows.classes] if rows is not None else [],
        per_class=contents["classes"] if shown else [],
        calibration=contents.get("calibration", []),
        certificates=contents.get("certificates", []),
        ladders=contents.get("attacked-and-proven", []),
        transfer=[] if run.ladders is None else list(zip(run.ladders.epsilons, run.ladders.transferred, strict=True)),
    )


def render(template: str, **values: Any) -> str:
    """A template of this folder, filled in."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": _percent, "ink": _cell_style, "p": p_text, "signed": signed}
    return environment.get_template(template).render(**values)


def _inline(svg: str, prefix: str) -> str:
    """An SVG file's text as a part of a page: ids of its own, colours that follow the page's."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'(url\(#|xlink:href="#)', rf"\1{prefix}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for colour, name in INKS.items():
        svg = re.sub(rf"(fill|stroke): {colour}", rf"\1: var({name})", svg, flags=re.IGNORECASE)
    box = re.search(r'viewBox="([^"]+)"', svg)[1]
    kind = "narrow" if float(box.split()[2]) < NARROW else "wide"
    return re.sub(r"<svg [^>]*>", f'<svg viewBox="{box}" class="{kind}" role="img">', svg, count=1)


def _percent(share: float | None, digits: int = 2) -> str:
    return "–" if share is None or not math.isfinite(share) else f"{100 * share:.{digits}f}"


def _cell_style(cell: Estimate) -> str:
    """Background and ink of a matrix cell as CSS."""
    paper, ink = cell_colours(cell.value)
    return f"background:{paper};color:{ink}"


def _plain(value: Any) -> Any:
    """A table's cell as a JSON value; None for NaN."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
