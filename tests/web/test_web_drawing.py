"""Drawing in a real browser: undo, brush, touch, pen, keyboard."""

from __future__ import annotations

import numpy as np
import pytest
from visitor import SEVEN, Keys, in_browser


@in_browser
def test_undo_redo_erase_and_clear(page):
    page.draw(SEVEN)
    first = page.ink()
    page.draw([(0.2, 0.5), (0.8, 0.5)])
    both = page.ink()
    assert both > first > 0.01
    page.one("#undo").click()
    assert page.ink() == first
    page.one("#redo").click()
    assert page.ink() == both
    page.one("#eraser").click()
    page.draw([(0.2, 0.5), (0.8, 0.5)])
    assert page.ink() < both
    page.one("#clear").click()
    assert page.ink() == 0
    page.wait(lambda: page.text("#verdict") == "Nothing drawn yet")
    page.one("#undo").click()
    assert 0 < page.ink() < both


@in_browser
def test_the_brush_has_a_size(page):
    page.set("size", 3)
    page.draw([(0.2, 0.5), (0.8, 0.5)])
    thin = page.ink()
    page.one("#undo").click()
    page.set("size", 12)
    page.draw([(0.2, 0.5), (0.8, 0.5)])
    # A line 0.6 long of width w, and the two half-discs at its ends: 0.6·w + π·w²/4.
    assert thin == pytest.approx(0.6 * 0.03 + np.pi * 0.03**2 / 4, rel=0.08)
    assert page.ink() == pytest.approx(0.6 * 0.12 + np.pi * 0.12**2 / 4, rel=0.08)


@in_browser
def test_touch_draws_where_the_finger_is_on_a_scrolled_page(page):
    page.script("window.scrollTo(0, 50)")  # the board stays in view: the driver aims at the visible part's middle
    scrolled = page.script("return window.scrollY")
    page.draw([(0.5, 0.3), (0.5, 0.7)], "touch")
    assert page.script("return window.scrollY") == scrolled > 0  # the finger drew and did not scroll
    box, board = page.one("#ink-box").rect, page.board.rect
    assert (box["y"] - board["y"]) / board["height"] == pytest.approx(0.265, abs=0.04)
    assert (box["x"] + box["width"] / 2 - board["x"]) / board["width"] == pytest.approx(0.5, abs=0.03)


@in_browser
def test_the_hand_that_holds_the_pen_does_not_draw(page):
    send = """
        const [canvas, type, x, y, size] = arguments, box = canvas.getBoundingClientRect();
        const make = (name, right) => canvas.dispatchEvent(new PointerEvent(name, {
          bubbles: true, pointerId: type === 'pen' ? 7 : 8, pointerType: type, pressure: 0.5, width: size, height: size,
          clientX: box.left + x * box.width + right, clientY: box.top + y * box.height,
        }));
        make('pointerdown', 0); make('pointermove', 60); make('pointerup', 60);
    """
    page.script(send, page.board, "touch", 0.2, 0.2, 120)  # a palm before the pen
    assert page.ink() == 0
    page.script(send, page.board, "pen", 0.5, 0.5, 1)
    drawn = page.ink()
    assert drawn > 0
    page.script(send, page.board, "touch", 0.2, 0.8, 20)  # a knuckle right after it
    assert page.ink() == drawn


@in_browser
def test_pressure_makes_lines_wider(page):
    def line(pressure):
        page.draw([(0.2, 0.5), (0.8, 0.5)], "pen", pressure=pressure)
        share = page.ink()
        page.one("#undo").click()
        return share

    assert line(0.9) > 1.5 * line(0.2)


@in_browser
def test_the_keyboard_alone_is_enough(page):
    page.script("document.activeElement.blur()")
    body = page.one("body")
    for _ in range(6):
        body.send_keys(Keys.TAB)
        if page.script("return document.activeElement.id") == "paper":
            break
    board = page.driver.switch_to.active_element
    assert board.get_attribute("id") == "paper"
    board.send_keys(Keys.SPACE, *[Keys.ARROW_DOWN] * 6, *[Keys.ARROW_LEFT] * 2, Keys.SPACE)
    drawn = page.ink()
    assert drawn > 0.01
    page.wait(lambda: page.text("#verdict") != "Nothing drawn yet")
    board.send_keys(Keys.CONTROL, "z")
    assert page.ink() == 0
    board.send_keys(Keys.CONTROL, "y")
    assert page.ink() == drawn
    board.send_keys(Keys.NULL, "e")
    assert page.one("#eraser").get_attribute("aria-pressed") == "true"
    board.send_keys(Keys.DELETE)
    assert page.ink() == 0
