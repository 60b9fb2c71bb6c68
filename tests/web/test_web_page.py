"""The page in a real browser: Debian's Chromium, driven by Selenium."""

from __future__ import annotations

import io
import json
import time

import numpy as np
import pytest
from PIL import Image
from visitor import SEVEN, expected, expected_by, in_browser, paste

from pipeline.web.app import STATIC

MOST_BYTES = 120_000


def test_the_page_weighs_little():
    assert sum(path.stat().st_size for path in STATIC.iterdir()) < MOST_BYTES


def test_the_page_names_no_other_place():
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text and 'src="//' not in text, path.name
        assert "style=" not in text and "onclick" not in text, path.name


@in_browser
def test_drawing_with_the_mouse_shows_what_the_model_itself_says(page, models):
    assert page.text("#verdict") == "Nothing drawn yet"
    page.draw(SEVEN)
    probabilities = expected(models, page.last_sent())
    np.testing.assert_allclose(page.bars(), probabilities, atol=1e-6)
    assert page.text("#label").rstrip("?") == str(probabilities.argmax())
    shares = [float(share.text.strip("<>% ")) for share in page.all("#bars .share")]
    np.testing.assert_allclose(shares, probabilities * 100, atol=0.51)
    spoken = page.wait(lambda: page.text("#spoken"))
    assert str(probabilities.argmax()) in spoken
    box = page.one("#ink-box").rect
    board = page.board.rect
    # The line runs from 0.3 to 0.7 across and from 0.21 to 0.8 down, and is 0.07 wide.
    assert (box["x"] - board["x"]) / board["width"] == pytest.approx(0.265, abs=0.03)
    assert box["width"] / board["width"] == pytest.approx(0.47, abs=0.05)
    assert box["height"] / board["height"] == pytest.approx(0.66, abs=0.05)


@in_browser
def test_a_pasted_picture_is_sent_as_it_is(page, models, seven):
    paste(page, seven)
    page.wait(lambda: page.script("return window.sent.length"))
    page.quiet()
    assert page.last_sent() == seven
    np.testing.assert_allclose(page.bars(), expected(models, seven), atol=1e-6)
    page.draw([(0.2, 0.5), (0.8, 0.5)])  # drawing on it makes it a drawing
    assert page.last_sent() != seven
    np.testing.assert_allclose(page.bars(), expected(models, page.last_sent()), atol=1e-6)


@in_browser
def test_a_chosen_file_is_framed_where_its_ink_is(page, models, seven, tmp_path):
    wide = Image.new("L", (240, 120), 245)
    wide.paste(Image.open(io.BytesIO(seven)), (100, 0))
    path = tmp_path / "wide.png"
    wide.save(path)
    page.one("#file").send_keys(str(path))
    page.wait(lambda: page.script("return window.sent.length"))
    page.quiet()
    np.testing.assert_allclose(page.bars(), expected(models, path.read_bytes()), atol=1e-6)
    box, board = page.one("#ink-box").rect, page.board.rect
    # The ink's middle is at x 160 of 240; 62 of 120, in the middle half of the board's height.
    assert (box["x"] + box["width"] / 2 - board["x"]) / board["width"] == pytest.approx(160 / 240, abs=0.02)
    assert (box["y"] + box["height"] / 2 - board["y"]) / board["height"] == pytest.approx(0.25 + 62 / 240, abs=0.02)


@in_browser
def test_a_file_that_is_no_picture_is_told(page):
    paste(page, b"hello", kind="image/png")
    page.wait(lambda: page.one("#fault").is_displayed())
    assert "not a picture" in page.text("#fault")


@in_browser
def test_the_lab_shows_every_network(page, models):
    page.script("document.querySelector('#model').value = 'sigma-0.0-repeat-1'")
    page.draw(SEVEN)
    page.wait(lambda: len(page.all("#networks .card")) == 3)
    label = page.text("#label").rstrip("?")
    shown = {page.text("#networks")}
    for name, value in (("epsilon", 0.1), ("sigma", 0.4), ("rotation", 20), ("right", 2)):
        page.set(name, value)
        page.wait(lambda: page.text("#networks") not in shown)
        shown.add(page.text("#networks"))
        assert f"for {label}" in page.text("#networks")
    assert page.text("#epsilon-value") == "0.1"
    names = page.script("return [...document.querySelectorAll('#networks h3')].map((title) => title.textContent)")
    assert names == ["σ\u00a00", "σ\u00a00.1", "σ\u00a00.3"]
    assert len(page.all("#curve polyline")) == 3
    page.one("#reset").click()
    assert (page.text("#epsilon-value"), page.text("#rotation-value")) == ("0", "0°")


@in_browser
def test_corrections(page, served, models):
    client = served[0].test_client()
    page.draw(SEVEN)
    page.all("#classes button")[7].click()
    page.wait(lambda: "1 picture" in page.text("#kept"))
    rows = [row.text for row in page.all("#scores-rows tr")]
    reads_it = {
        choice.name: int(expected_by(choice, page.last_sent()).argmax()) == 7 for choice in models.by_name.values()
    }
    # Wilson's interval of 0 of 1 and of 1 of 1: z² / (1 + z²) with z 1.96.
    shown = {False: "0 of 1 0 to 79 %", True: "1 of 1 21 to 100 %"}
    names = ["σ 0", "σ 0.1", "σ 0.3", "σ 0.3, all rows"]
    assert rows == [f"{name} {shown[reads]}" for name, reads in zip(names, reads_it.values(), strict=True)]
    assert "put right" in page.text("#scores-note")
    assert client.get("/api/corrections").json["count"] == 1
    assert page.one("#export").is_displayed()
    page.one("#forget").click()
    assert "Really" in page.text("#forget")  # nothing is gone yet
    assert client.get("/api/corrections").json["count"] == 1
    page.one("#forget").click()
    page.wait(lambda: "Deleted 1" in page.text("#kept"))
    assert not page.one("#scores").is_displayed()
    assert client.get("/api/corrections").json["count"] == 0


@in_browser
def test_old_answers_are_dropped(page):
    page.script(
        """
        const real = window.fetch; let first = true;
        window.fetch = async (url, o) => {
          const answer = await real(url, o);
          if (first && o?.body instanceof Blob) { first = false; await new Promise((go) => setTimeout(go, 600)); }
          return answer;
        };
        """
    )
    page.draw(SEVEN)
    page.one("#clear").click()
    time.sleep(0.9)
    assert page.text("#verdict") == "Nothing drawn yet"
    assert page.bars().max() == 0


@in_browser
@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(360, 740, "light"), (768, 1024, "dark"), (1600, 1000, "light")]
)
def test_every_screen(page, width, height, scheme):
    command = page.driver.execute_cdp_cmd
    mobile = width < 600
    metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": mobile}
    command("Emulation.setDeviceMetricsOverride", metrics)
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    command("Emulation.setEmulatedMedia", {"features": features})
    try:
        page.quiet()
        assert page.script("return document.documentElement.scrollWidth") <= width  # nothing to scroll sideways
        assert page.script("return document.getElementById('paper').width") == round(page.board.size["width"] * 2)
        dark = page.script("return getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, dark[4:-1].split(","))) < 300) == (scheme == "dark")
        assert page.script("return getComputedStyle(document.querySelector('.fill')).transitionDuration") == "0s"
        small = [b for b in page.all("button") if b.is_displayed() and b.size["height"] < 36 and b.text != "Delete all"]
        assert not small
    finally:
        command("Emulation.clearDeviceMetricsOverride", {})
        command("Emulation.setEmulatedMedia", {"features": []})


@in_browser
def test_nothing_comes_from_elsewhere_and_nothing_is_refused(page, seven):
    page.driver.get_log("performance")
    page.driver.get_log("browser")
    page.driver.get(page.address + "/")
    page.wait(lambda: len(page.all("#bars li")) == 10)
    page.script("Object.assign(window, {busy: 0, since: 0})")
    page.board = page.one("#paper")
    page.draw(SEVEN)
    page.set("sigma", 0.3)
    paste(page, seven)
    page.wait(lambda: len(page.all("#networks .card")) == 3)
    events = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    urls = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert len(urls) > 5
    assert all(url.startswith((page.address, "blob:", "data:")) for url in urls)
    # A Content-Security-Policy that the page breaks, a missing file or an error would stand here.
    assert [entry["message"] for entry in page.driver.get_log("browser") if entry["level"] != "INFO"] == []
