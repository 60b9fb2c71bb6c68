"""Test conditions with their short forms."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.evaluation.robustness.condition_names import DEFAULT, check_fit, columns


def names(*texts):
    conditions, attacks = columns(texts, seed=3)
    assert all(one.seed == 3 for one in conditions)
    return [one.name for one in conditions], [attack.name for attack in attacks]


def test_short_forms():
    assert names("shift right 2-4", "σ 0.20", "pgd Linf 0.10", "pgd Linf 0.1", "clean") == (
        ["clean", "shift right 2", "shift right 3", "shift right 4", "σ 0.2"],
        ["pgd Linf 0.1"],
    )
    directions = ("right", "left", "up", "down", "down-right", "down-left", "up-right", "up-left")
    assert set(names("shift all 4")[0]) == {"clean"} | {f"shift {direction} 4" for direction in directions}
    many = names("corruptions 1-2")[0]
    assert len(many) == 1 + 2 * 22 and {"rotate 1", "rotate 2", "glass_blur 2"} <= set(many)


def test_the_default_names_exist_and_suit_small_pictures():
    conditions, attacks = columns(DEFAULT, seed=0)
    check_fit(conditions, 8)
    assert len(attacks) == 4


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rotat 3", "There is no test condition or attack 'rotat': did you mean rotate?"),
        ("rotate 6", "severity of rotate must be a whole number from 0"),
        ("rotate 5-1", "a span begins with its smaller number"),
        ("shift rihgt 2", "did you mean right?"),
        ("pgd Linf -1", "ε must be"),
        ("pdg Linf 0.1", "There is no test condition or attack 'pdg': did you mean pgd?"),
        ("corruption 3", "did you mean corruptions?"),
        ("pgd Linf", "An attack is written as"),
        ("", "A test condition is written as"),
    ],
)
def test_what_is_refused(text, sentence):
    with pytest.raises(UsageError) as caught:
        columns([text], seed=0)
    assert sentence in str(caught.value)


def test_a_shift_further_than_the_picture_is_told_before_training():
    with pytest.raises(UsageError, match=r"^The test condition 'shift up 4' does not suit these pictures: .*4×4"):
        check_fit(columns(["shift up 4"], seed=0)[0], 4)
