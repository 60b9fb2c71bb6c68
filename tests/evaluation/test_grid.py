import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.evaluation.grid import Grid


def small(**changes) -> Grid:
    """Two trained rows × two repeats × two conditions × four holdout rows, worked by hand."""
    labels = np.array([0, 1, 2, 1])
    predictions = np.zeros((2, 2, 2, 4), dtype=np.int16)
    predictions[0, 0, 0] = [0, 1, 2, 1]  # 4 right
    predictions[0, 1, 0] = [0, 1, 2, 2]  # 3 right
    predictions[0, 0, 1] = [1, 0, 0, 0]  # none
    predictions[0, 1, 1] = [0, 0, 0, 0]  # 1 right
    predictions[1, :, :] = [2, 1, 1, 1]  # 2 right everywhere
    fields = {
        "trained": ("σ 0", "σ 0.1"),
        "conditions": ("clean", "σ 0.5"),
        "labels": labels,
        "predictions": predictions,
        "averaged": predictions[:, 0],
    }
    return Grid(**{**fields, **changes})


def test_accuracy_of_each_model():
    accuracy = small().accuracy()
    assert accuracy.dtype == np.float64
    assert accuracy.tolist() == [[[1, 0], [0.75, 0.25]], [[0.5, 0.5], [0.5, 0.5]]]


def test_one_record_for_each_model_and_condition():
    records = small().records()
    assert {tuple(record) for record in records} == {("train", "repeat", "test", "rows", "correct", "accuracy")}
    assert [list(record.values()) for record in records] == [
        ["σ 0", 1, "clean", 4, 4, 1.0],
        ["σ 0", 1, "σ 0.5", 4, 0, 0.0],
        ["σ 0", 2, "clean", 4, 3, 0.75],
        ["σ 0", 2, "σ 0.5", 4, 1, 0.25],
        ["σ 0.1", 1, "clean", 4, 2, 0.5],
        ["σ 0.1", 1, "σ 0.5", 4, 2, 0.5],
        ["σ 0.1", 2, "clean", 4, 2, 0.5],
        ["σ 0.1", 2, "σ 0.5", 4, 2, 0.5],
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trained": ("σ 0", "σ 0")}, r"trained must be one or more different names, found \['σ 0', 'σ 0'\]"),
        ({"conditions": ()}, r"conditions must be one or more different names, found \[\]"),
        (
            {"labels": np.zeros(3, int)},
            r"predictions must have the shape 2 × 2 × 2 × 3 .* found 2 × 2 × 2 × 4",
        ),
        ({"labels": np.zeros((4, 1), int)}, r"labels must have the shape 4 .* found 4 × 1"),
        ({"labels": np.zeros(4)}, r"labels must be a NumPy array of integers .* found float64"),
        ({"labels": [0, 1, 2, 1]}, r"labels must be a NumPy array of integers .* found list"),
        ({"predictions": np.zeros((2, 2, 4), int)}, r"the shape 2 × R × 2 × 4 .* found 2 × 2 × 4:"),
        ({"predictions": np.zeros((2, 0, 2, 4), int)}, r"none of it empty .* found 2 × 0 × 2 × 4"),
        (
            {"averaged": np.zeros((2, 1, 4), int)},
            r"averaged must have the shape 2 × 2 × 4 .* found 2 × 1 × 4",
        ),
        ({"averaged": np.full((2, 2, 4), 0.5)}, r"averaged must be .* found float64: give classes"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        small(**changes)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"no trained row 'σ 9', only 'σ 0', 'σ 0.1'"):
        small().trained_index("σ 9")
    with pytest.raises(UsageError, match=r"no test condition 'dark', only 'clean', 'σ 0.5'"):
        small().condition_index("dark")
