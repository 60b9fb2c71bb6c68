"""A checkpoint that is missing, damaged or another's is refused in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.training.checkpoint import load_checkpoint, save_checkpoint
from pipeline.training.task import TrainingResult


@pytest.fixture
def kept(tmp_path):
    result = TrainingResult(
        values=np.arange(50, dtype=np.float32),
        history=[],
        probabilities={"clean": np.full((3, 2), 0.5, np.float32)},
        seconds=1.0,
    )
    save_checkpoint(tmp_path / "fit", result, "mine")
    return tmp_path / "fit"


def test_missing(tmp_path):
    with pytest.raises(DataError, match="is not a finished fit"):
        load_checkpoint(tmp_path / "none")


def test_of_another_task(kept):
    with pytest.raises(DataError, match="belongs to other settings, data or code"):
        load_checkpoint(kept, "other")
    assert load_checkpoint(kept).seconds == 1.0


@pytest.mark.parametrize("place", range(0, 600, 37))
def test_every_damaged_byte_is_noticed(kept, place):
    content = bytearray(kept.read_bytes())
    place = min(place, len(content) - 1)
    content[place] ^= 0x10
    kept.write_bytes(content)
    with pytest.raises(DataError, match="is not a finished fit"):
        load_checkpoint(kept)


def test_cut_short(kept):
    kept.write_bytes(kept.read_bytes()[:-10])
    with pytest.raises(DataError, match="is not a finished fit"):
        load_checkpoint(kept)
