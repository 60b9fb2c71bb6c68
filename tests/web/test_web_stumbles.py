"""What visitors once stumbled over, in a real browser."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from visitor import SEVEN, Keys, Page, in_browser, paste

from pipeline.dataset import Digits
from pipeline.web.app import create_app

pytestmark = in_browser


@pytest.fixture(scope="module")
def with_examples(models, tmp_path_factory, serve):
    """A page whose run kept held-out rows, and says how accurate it is."""
    rng = np.random.default_rng(0)
    held = Digits(rng.integers(0, 256, (20, 28, 28), dtype=np.uint8), np.arange(20) % 10, np.arange(10))
    accuracy = {"value": 0.9, "low": 0.88, "high": 0.92, "rows": 1200, "of": "two networks"}
    default = replace(models.default, accuracy=accuracy)
    folder = tmp_path_factory.mktemp("examples")
    return serve(create_app(replace(models, default=default, examples=held), folder / "corrections.sqlite"))


@pytest.fixture
def taught(browser, with_examples):
    page = Page(browser, with_examples)
    page.wait(lambda: page.text("#verdict") not in ("", "Nothing drawn yet"))
    return page


def emulate(page, width, height, features=()):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    given = [{"name": name, "value": value} for name, value in features]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": given})


@pytest.fixture
def screen(browser):
    yield emulate
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_it_opens_with_an_example_under_noise_that_makes_way_for_a_drawing(taught):
    assert taught.text("#sigma-value") == "0.3"
    assert len(taught.all("#examples button")) == 10
    taught.draw(SEVEN)
    assert taught.script("return document.getElementById('hint').hidden")
    assert 0.01 < taught.ink() < 0.2  # the example, half of it ink, is gone
    taught.one("#undo").click()
    taught.one("#undo").click()
    assert taught.ink() > 0.3


def test_the_lab_is_seen_without_scrolling(taught, screen):
    screen(taught, 1280, 800)
    for name in ("sigma", "epsilon", "rotation", "right", "down"):
        assert taught.one(f"#{name}").rect["y"] + 28 < 800
    taught.wait(lambda: len(taught.all("#networks .card")) == 3)
    assert taught.one("#networks").rect["y"] + taught.one("#networks").rect["height"] < 800


def test_it_says_who_answers(taught):
    said = taught.text("#who")
    assert "2 networks together" in said and "made up" in said and "90.0 % (88.0 to 92.0) of 1,200" in said


def test_a_stroke_is_answered_at_once(page):
    page.script(
        """
        window.took = []; const real = window.fetch;
        window.fetch = async (url, options) => {
          if (options?.body instanceof Blob) window.took.push(performance.now() - window.began);
          return real(url, options);
        };
        """
    )
    page.draw(SEVEN)
    page.script("window.took = []; window.began = performance.now(); document.getElementById('undo').click()")
    page.script("window.began = performance.now(); document.getElementById('redo').click()")
    page.wait(lambda: page.script("return window.took.length"))
    assert page.script("return window.took.at(-1)") < 500  # a browser's own PNG took a second


def test_the_board_is_sent_as_a_picture_of_what_is_seen(page):
    page.draw([(0.1, 0.1), (0.3, 0.1)])
    with Image.open(io.BytesIO(page.last_sent())) as sent:
        assert (sent.format, sent.size, sent.mode) == ("BMP", (168, 168), "L")
        pixels = np.asarray(sent)
    rows, columns = np.nonzero(pixels < 128)
    # The line runs at a tenth of the height from 0.1 to 0.3, 0.07 wide.
    assert rows.mean() / 168 == pytest.approx(0.1, abs=0.01)
    assert (columns.min() / 168, columns.max() / 168) == (
        pytest.approx(0.065, abs=0.01),
        pytest.approx(0.335, abs=0.01),
    )


def test_a_silent_server_is_told_without_moving_the_board_and_forgotten_when_it_is_back(page):
    place = page.board.rect
    page.script("window.real = window.fetch; window.fetch = () => Promise.reject(new TypeError('down'))")
    page.draw(SEVEN)
    page.wait(lambda: page.one("#fault").is_displayed())
    assert page.board.rect == place
    page.script("window.fetch = window.real")
    page.wait(lambda: not page.one("#fault").is_displayed())
    page.wait(lambda: page.text("#verdict") != "Nothing drawn yet")


def test_after_clear_the_brush_draws(page):
    page.draw(SEVEN)
    page.one("#eraser").click()
    page.one("#clear").click()
    page.draw(SEVEN)
    assert page.ink() > 0.01
    assert page.one("#brush").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize(("paper", "scheme"), [(255, "dark"), (0, "light")])
def test_pens_on_a_pasted_picture_show_what_the_network_gets(page, screen, paper, scheme):
    screen(page, 1200, 1000, [("prefers-color-scheme", scheme)])
    file = io.BytesIO()
    Image.new("L", (100, 100), paper).save(file, "PNG")
    paste(page, file.getvalue())
    page.wait(lambda: page.script("return !document.getElementById('clear').disabled"))
    page.draw([(0.2, 0.5), (0.8, 0.5)])
    with Image.open(io.BytesIO(page.last_sent())) as sent:
        grey = np.asarray(sent.convert("L"))
    shown = page.script("const c = arguments[0], g = c.getContext('2d'), at = (x, y) => "
                        "g.getImageData(x * c.width, y * c.height, 1, 1).data[0]; return [at(0.5, 0.5), at(0.5, 0.1)]",
                        page.board)  # fmt: skip
    assert shown == [int(grey[84, 84]), int(grey[17, 84])] == [255 - paper, paper]


def test_several_digits_cannot_be_kept_as_one(page):
    page.draw([(0.25, 0.25), (0.25, 0.75)])
    page.draw([(0.75, 0.25), (0.75, 0.75)])
    page.wait(lambda: page.text("#verdict") == "Several digits")
    assert not any(button.is_enabled() for button in page.all("#classes button"))


def test_no_answer_is_certain(page):
    said = page.driver.execute_async_script(
        """
        const done = arguments[0], sure = { label: 8, probability: 1, runner_up: 9, runner_up_probability: 0 };
        import('/static/view.js').then(({ percent, words }) =>
          done([[0, 0.0004, 0.004, 0.5, 0.996, 1].map(percent), words({ ...sure, warnings: [], verdict: 'sure' })]));
        """
    )
    assert said[0] == ["< 0.1 %", "< 0.1 %", "0.4 %", "50 %", "99.6 %", "> 99.9 %"]
    assert said[1] == ["8", "> 99.9 %", "Sure that it is 8; hardly anything else."]


def test_labels_of_curves_stay_inside(page):
    heights = page.driver.execute_async_script(
        "const done = arguments[0]; import('/static/chart.js').then(({ spread }) => "
        "done([spread([12, 12, 12, 12], 12, 150), spread([150, 150, 149], 12, 150), spread([20, 90], 12, 150)]))"
    )
    high, low, apart = heights
    assert min(high) >= 12 and sorted(np.diff(sorted(high)))[0] >= 15
    assert max(low) <= 154 and apart == [20, 90]


def test_the_curve_follows_the_attack(page):
    page.draw(SEVEN)
    page.set("sigma", 0)
    page.wait(lambda: len(page.all("#curve polyline")) == 3)
    before = page.script("return document.querySelector('#curve polyline').getAttribute('points')")
    page.set("epsilon", 0.2)
    page.wait(lambda: "ε 0.2" in page.text("#curve-title"))
    assert page.script("return document.querySelector('#curve polyline').getAttribute('points')") != before


@pytest.mark.parametrize(("width", "height"), [(740, 360), (640, 400), (320, 560)])
def test_the_board_fits_into_every_window(page, screen, width, height):
    screen(page, width, height)
    page.quiet()
    size = page.board.size
    assert size["height"] <= height - 40 and size["width"] < width - 20  # there is page to scroll from
    assert page.script("return document.documentElement.scrollWidth") <= width


def test_keys_on_a_slider_are_the_sliders(page):
    page.draw(SEVEN)
    page.one("#sigma").send_keys(Keys.DELETE)
    assert page.ink() > 0.01


def test_one_correction_can_be_taken_back(page, served):
    client = served[0].test_client()
    page.draw(SEVEN)
    for label in (1, 7):
        page.all("#classes button")[label].click()
        page.wait(lambda label=label: f"Kept as {label}" in page.text("#kept"))
    assert client.get("/api/corrections").json["count"] == 1  # the same drawing is not two digits
    page.one("#latest button").click()
    page.wait(lambda: "Deleted 1" in page.text("#kept"))
    assert client.get("/api/corrections").json["count"] == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(page, screen, scheme):
    screen(page, 1280, 800, [("prefers-color-scheme", scheme)])
    colours = page.script(
        """
        const style = getComputedStyle(document.documentElement);
        return ['text', 'soft', 'for', 'against', 'accent', 'ground', 'surface']
          .map((name) => style.getPropertyValue(`--${name}`).trim());
        """
    )

    def luminance(text):
        parts = np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    *inks, ground, surface = map(luminance, colours)
    for ink in inks:
        for paper in (ground, surface):
            assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5  # WCAG 2.2, 1.4.3


def test_forced_colours_show_the_pressed_tool(page, screen):
    screen(page, 1280, 800, [("forced-colors", "active")])
    shown = "return getComputedStyle(document.getElementById(arguments[0])).backgroundColor"
    assert page.script(shown, "brush") != page.script(shown, "undo")
    assert page.script(shown, "tab-draw") != page.script(shown, "tab-train")


def test_a_reload_finds_the_drawing_and_so_does_an_address(page, models):
    page.draw(SEVEN)
    page.set("rotation", 30)
    ink, label = page.ink(), page.text("#label")
    page.driver.refresh()
    page.board = page.one("#paper")
    page.wait(lambda: page.text("#label") == label)
    assert page.ink() == pytest.approx(ink, rel=0.02)
    assert page.text("#rotation-value") == "30°"
    page.one("#link").click()
    page.wait(lambda: page.text("#link-told"))
    address = page.driver.current_url
    assert "#d=s" in address
    page.script("sessionStorage.clear(); location.hash = ''")
    page.one("#clear").click()
    page.driver.get("about:blank")
    page.driver.get(address)
    page.board = page.one("#paper")
    page.wait(lambda: page.text("#label") == label)
    assert page.ink() == pytest.approx(ink, rel=0.02)


def test_earlier_drawings_can_be_returned_to(page):
    page.draw(SEVEN)
    ink = page.ink()
    page.one("#clear").click()
    page.draw([(0.5, 0.2), (0.5, 0.8)])
    page.one("#drawings button").click()
    assert page.ink() == pytest.approx(ink, rel=0.02)


def test_a_dropped_address_is_told(page):
    page.script(
        "const data = new DataTransfer(); data.setData('text/uri-list', 'http://example.org/7.png');"
        "document.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))"
    )
    page.wait(lambda: page.one("#fault").is_displayed())
    assert "save the picture" in page.text("#fault")


def test_inside_shows_sums_that_add_up(page):
    page.draw(SEVEN)
    page.wait(lambda: len(page.all("#units-for .unit")) > 0)
    words = page.text("#sum").replace("−", "-").replace("=", "").replace(",", "").split()
    *parts, total = [float(word) for word in words if word[0] in "+-"]
    assert sum(parts) == pytest.approx(total, abs=0.05)


def test_nothing_that_is_named_is_missing(page):
    """What a screen reader needs: names for all controls and pictures, one h1, a title, a language."""
    for view in ("#draw", "#train"):
        page.script("location.hash = arguments[0]", view)
        page.quiet()
        nameless = page.script(
            """
            const named = (e) => e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')
              || e.textContent.trim() || e.closest('label') || e.getAttribute('alt') !== null
              || document.querySelector(`label[for="${e.id}"]`);
            const shown = (e) => e.offsetParent !== null && e.getAttribute('role') !== 'presentation';
            return [...document.querySelectorAll('button, a, input, select, canvas, svg, img, [role]')]
              .filter((e) => shown(e) && !named(e)).map((e) => e.outerHTML.slice(0, 80));
            """
        )
        assert nameless == []
        assert page.script("return document.querySelectorAll('h1').length") == 1
        ids = page.script("return [...document.querySelectorAll('[id]')].map((e) => e.id)")
        assert len(ids) == len(set(ids))
        missing = page.script(
            "return [...document.querySelectorAll('[aria-labelledby], [aria-describedby]')].filter((e) => "
            "!document.getElementById(e.getAttribute('aria-labelledby') ?? e.getAttribute('aria-describedby'))).length"
        )
        assert missing == 0


def test_a_given_picture_of_numbers_is_asked_about_as_it_is(taught, models):
    taught.all("#examples button")[3].click()
    taught.quiet()
    rng = np.random.default_rng(0)
    third = rng.integers(0, 256, (20, 28, 28), dtype=np.uint8)[3]
    np.testing.assert_allclose(taught.bars(), models.default.probabilities(third[None])[0], atol=1e-6)
