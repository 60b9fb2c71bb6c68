"""The contact sheet shows the pictures that were asked for, and what training really makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.augment import Chain
from pipeline.augment.noise import NoiseOnShare
from pipeline.cli import group
from pipeline.report.contact_sheet import CELL, contact_sheet, draw_copies, one_of_each
from pipeline.training import recipe


def test_classes_take_turns():
    labels = np.array([2, 2, 2, 2, 0, 1, 1, 0, 2, 2])
    picked = one_of_each(labels, 7, rng=np.random.default_rng(0))
    assert labels[picked].tolist() == [0, 1, 2, 0, 1, 2, 2]  # class 2 goes on alone
    assert len(set(picked.tolist())) == 7
    assert len(one_of_each(labels, 50, rng=np.random.default_rng(0))) == 10


def test_copies_without_a_change_are_the_pictures():
    images = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    copies = draw_copies(images, Chain(), 3, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(copies, np.stack([images] * 3))


def test_the_noisy_share_comes_first():
    images = np.full((2, 8, 8), 128, np.uint8)
    copies = draw_copies(images, NoiseOnShare(0.2, share=0.5), 4, rng=np.random.default_rng(0))
    assert copies[:2].std(axis=(2, 3)).min() > 20
    assert (copies[2:] == 128).all()


def test_unclipped_noise_is_shown_as_black_and_white():
    images = np.zeros((4, 8, 8), np.uint8)
    copies = draw_copies(images, NoiseOnShare(0.1, share=1.0, clip=False), 4, rng=np.random.default_rng(0))
    assert copies.max() < 128 and (copies == 0).mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("side", [8, 28, 200])
def test_the_sheet_holds_every_picture_at_its_place(side):
    images = np.random.default_rng(0).integers(0, 256, (2, side, side), dtype=np.uint8)
    copies = np.stack([255 - images, images // 2])
    sheet = np.asarray(contact_sheet(images, ["a", "b"], copies, title="T", note="σ 8×8"))
    zoom = max(1, CELL // side)
    for picture in (*images, *copies.reshape(4, side, side)):
        large = np.kron(picture, np.ones((zoom, zoom), np.uint8))
        windows = np.lib.stride_tricks.sliding_window_view(sheet, large.shape)
        places = np.argwhere(windows[:, :, 0, 0] == large[0, 0])
        assert any((windows[y, x] == large).all() for y, x in places)


@pytest.fixture
def show(tmp_path, monkeypatch):
    """Runs `show` with these words in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        done = CliRunner().invoke(group, ["show", *words])
        return done, done.stdout

    return run


def test_show_writes_the_sheet(show, tmp_path):
    done, said = show("--recipe", "distort", "--rows", "3", "--draws", "2", "--to", "sheet.png")
    assert done.exit_code == 0
    assert said == "Contact sheet of 3 pictures of sample (scikit-learn 8×8 digits), 2 copies each: sheet.png\n"
    first = (tmp_path / "sheet.png").read_bytes()
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.mode == "L"
    show("--rows", "3", "--draws", "2", "--to", "again.png")
    assert (tmp_path / "again.png").read_bytes() == first
    show("--rows", "3", "--draws", "2", "--seed", "1", "--to", "other.png")
    assert (tmp_path / "other.png").read_bytes() != first


def test_show_refuses_an_unknown_recipe(show, tmp_path):
    done, said = show("--recipe", "distrot")
    assert "There is no recipe distrot: did you mean distort" in str(done.exception)
    assert said == ""
    assert not (tmp_path / "contact.png").exists()


@pytest.mark.parametrize("name", ["distort", "shift"])
def test_recipes_that_distort_do(name):
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    copies = draw_copies(images, recipe.load(name).augment(0.0), 4, rng=np.random.default_rng(0))
    assert (copies != images).mean(axis=(2, 3)).min() > 0.5
