from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.errors import UsageError, number, one_of, whole_number, within


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: one_of("norm", "Lin", ["L2", "Linf"]), "There is no norm 'Lin': did you mean Linf?"),
        (lambda: one_of("norm", "x", ["L2", "Linf"]), "There is no norm 'x': choose one of L2, Linf."),
        (lambda: number("rate", 0, above=0, below=1), "rate must be a number above 0 and below 1, found 0."),
        (lambda: number("rate", 2, at_least=0, at_most=1), "rate must be a number at least 0 and at most 1, found 2."),
        (lambda: number("rate", math.nan), "rate must be a number, found nan."),
        (lambda: number("rate", True, above=0), "rate must be a number above 0, found True."),
        (lambda: within("scale", "1", 0, 0.5), "scale must be a number from 0 to 0.5, found '1'."),
        (lambda: within("scale", 0.6, 0, 0.5), "scale must be a number from 0 to 0.5, found 0.6."),
        (lambda: whole_number("steps", 0), "steps must be a whole number of at least 1, found 0."),
        (lambda: whole_number("steps", 2.0), "steps must be a whole number of at least 1, found 2.0."),
        (lambda: whole_number("steps", True), "steps must be a whole number of at least 1, found True."),
        (lambda: whole_number("steps", 9, at_least=0, at_most=8), "steps must be a whole number from 0 to 8, found 9."),
    ],
)
def test_what_is_not_allowed_is_refused_in_one_sentence(check, message):
    with pytest.raises(UsageError) as refused:
        check()
    assert str(refused.value) == message


def test_what_is_allowed_comes_back_as_a_plain_value():
    assert one_of("norm", "L2", ["L2", "Linf"]) == "L2"
    values = [number("rate", np.float32(0.5), above=0), within("scale", 1, 0, 1), whole_number("steps", np.int64(3))]
    assert [(type(value), value) for value in values] == [(float, 0.5), (float, 1.0), (int, 3)]
