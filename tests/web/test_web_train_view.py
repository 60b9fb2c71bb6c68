"""The second view in a real browser: two networks are trained, watched, asked and kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from calls import ended
from visitor import Keys, Page, in_browser

from pipeline.runs.ledger import Ledger
from pipeline.web.app import create_app

pytestmark = in_browser


@pytest.fixture(scope="module")
def training_app(models, bars, tmp_path_factory):
    app = create_app(
        replace(models, competition=bars), tmp_path_factory.mktemp("train") / "runs" / "corrections.sqlite"
    )
    yield app
    app.config["PAGE"].trainings.stop_all()


@pytest.fixture
def page(browser, training_app, serve):
    page = Page(browser, serve(training_app))
    page.script("location.hash = '#train'")
    page.wait(lambda: page.one("#start").is_displayed() and page.one("#start").is_enabled())
    yield page
    page.driver.get("about:blank")


def table(page):
    return [[cell.text for cell in row.find_elements("css selector", "td")] for row in page.all("#noise-rows tr")]


def test_a_visitor_makes_the_noise_table_with_the_keyboard_alone(page, training_app):
    assert "bars" in page.text("#train-data")
    page.set("rows", 2.3)  # 200 of them
    epochs = page.one("#epochs")
    epochs.send_keys(Keys.CONTROL, "a")
    epochs.send_keys(Keys.NULL, "3")
    page.one("#start").send_keys(Keys.ENTER)
    page.wait(lambda: "All epochs are done" in page.text("#train-told"), 60)
    rows = table(page)
    assert len(rows) == 2 and all(cell.endswith(" %") for row in rows for cell in row) and len(rows[0]) == 5
    assert [title.text for title in page.all(".net h3")] == ["Without noise", "With noise σ 0.3"]
    assert len(page.all("#accuracy polyline")) == 4 and len(page.all("#loss polyline")) == 2
    walls = page.script("return [...document.querySelectorAll('.wall')].map((wall) => [wall.width, wall.height])")
    assert walls == [[8 * 13 - 1, 5 * 13 - 1]] * 2  # 40 pictures of 12 × 12 pixels, a line between them
    assert len(page.all(".confusion")) == 4
    page.board = page.one("#paper-both")
    page.board.send_keys(Keys.SPACE, *[Keys.ARROW_DOWN] * 5, Keys.SPACE)
    page.wait(lambda: len(page.all("#both b")) == 2, 30)
    assert {digit.text for digit in page.all("#both b")} <= {"0", "1"}
    page.one("#keep").click()
    page.wait(lambda: "predict --model runs/" in page.text("#train-told"), 30)
    kept = page.text("#train-told").split("runs/")[1].split()[0]
    runs = training_app.config["PAGE"].trainings.runs
    assert [run.id for run in Ledger(runs).runs()] == [kept]


def test_pause_go_on_and_leave(page, training_app):
    page.set("rows", 2.3)
    page.set("units", 9)  # 512 of them, in three layers: the training lasts until it is left
    page.script("document.getElementById('epochs').value = 100; document.getElementById('layers').value = 3")
    page.one("#start").click()
    page.wait(lambda: "Epoch" in page.text("#nets") and page.one("#pause").is_enabled(), 60)
    page.one("#pause").click()
    assert page.text("#pause") == "Go on"
    (training,) = training_app.config["PAGE"].trainings._by_id.values()
    page.driver.get("about:blank")  # who leaves ends the training
    assert ended(training) not in (None, 0)
