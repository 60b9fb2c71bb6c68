"""The sheet shows the picture, what was seen, and which ink spoke for the answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.report.prediction_sheet import AGAINST, BOX, FOR, VIEW, Card, coloured, prediction_sheet


def card(box=(10, 30, 5, 15), text="a.png"):
    seen = np.zeros((28, 28), np.uint8)
    seen[4:24, 14] = 255
    return Card(np.linspace(0, 1, 40 * 20).reshape(40, 20).astype(np.float32), box, seen, seen / 255.0, (text, "7", ""))


def test_colours_stand_for_signs():
    seen = np.array([[255, 255], [255, 0]], np.uint8)
    pixels = coloured(np.array([[1.0, -1.0], [0.0, 0.0]]), seen)
    assert pixels[0, 0].tolist() == list(FOR)
    assert pixels[0, 1].tolist() == list(AGAINST)
    assert pixels[1].tolist() == [[204] * 3, [255] * 3]  # ink without a say is light grey, paper white


@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_card_is_on_the_sheet(count):
    sheet = np.asarray(prediction_sheet([card() for _ in range(count)], title="T"))
    stroke = np.zeros((VIEW, VIEW), bool)  # the 28×28, four times as large
    stroke[16:96, 56:60] = True
    white, black = (sheet == 255).all(2), (sheet == 0).all(2)
    windows = np.lib.stride_tricks.sliding_window_view(black, (VIEW, VIEW))
    corners = np.argwhere(windows[:, :, 0, 0] & windows[:, :, -1, -1] & windows[:, :, 0, -1])
    assert sum((windows[y, x] == ~stroke).all() and white[y + 16, x + 56] for y, x in corners) == count
    assert (sheet == BOX).all(2).any()


def test_hidden_units_stand_below_with_their_parts():
    ink = np.zeros((28, 28))
    ink[4:24, 14] = 0.5
    plain = np.asarray(prediction_sheet([card()], title="T"))
    sheet = np.asarray(prediction_sheet([replace(card(), units=[(ink, 1.25), (-ink, -0.5)])], title="T"))
    assert sheet.shape[0] > plain.shape[0] + 30
    below = sheet[VIEW + 90 :]
    for colour in (FOR, AGAINST):
        assert (below == colour).all(2).any()
    assert FOR[2] > FOR[0] and AGAINST[0] > AGAINST[2]  # blue is for and orange against, as on the page


def test_a_blank_picture_has_no_box():
    assert not (np.asarray(prediction_sheet([card(box=None)], title="T")) == BOX).all(2).any()


def test_long_names_do_not_run_into_the_next_card():
    short, long = (np.asarray(prediction_sheet([card(text=t), card()], title="T")) for t in ("a", "a" * 300))
    assert short.shape == long.shape
    np.testing.assert_array_equal(short[:, -VIEW * 3 - 40 :], long[:, -VIEW * 3 - 40 :])
