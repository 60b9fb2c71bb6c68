from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from scipy import sparse

from pipeline.errors import DivergedError, UsageError
from pipeline.nn.averaging import MovingAverage
from pipeline.nn.layers import Dense, ReLU
from pipeline.nn.losses import MSE, SoftmaxCrossEntropy
from pipeline.nn.network import Network
from pipeline.nn.optimizers import SGD, Adam
from pipeline.nn.schedules import Constant
from pipeline.training import EarlyStopping, Epoch, Hooks, Streams, TrainingData, TrainingPlan, evaluate, fit


def blobs(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of 5 numbers around −1 and +1."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    return (rng.normal(size=(n, 5)) + 2 * labels[:, None] - 1).astype(np.float64), labels


def net(*sizes: int, seed: int = 0) -> Network:
    layers = [layer for size in sizes for layer in (Dense(size), ReLU())][:-1]
    return Network(layers, (5,), rng=np.random.default_rng(seed), dtype="float64")


def train(network: Network, rows, labels, *, rate: float = 0.1, **given):
    """fit with defaults; `given` goes to the data, the plan or the hooks, whichever has a field of that name."""
    streams = given.pop("streams", Streams.of(7))
    plan = {
        "loss": SoftmaxCrossEntropy(),
        "optimizer": SGD(network.params.size, network.dtype),
        "schedule": Constant(learning_rate=rate),
        "epochs": 3,
        "batch_size": 16,
    }
    parts = [{"rows": rows, "labels": labels}, plan, {}]
    for name, value in given.items():
        kinds = (TrainingData, TrainingPlan, Hooks)
        next(part for part, kind in zip(parts, kinds, strict=True) if name in names_of(kind))[name] = value
    data, plan, hooks = parts
    return fit(network, TrainingData(**data), TrainingPlan(**plan), streams=streams, hooks=Hooks(**hooks))


def names_of(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def held(rows, labels, weights=None) -> TrainingData:
    return TrainingData(rows=rows, labels=labels, sample_weight=weights)


def one_number_net(weight: float) -> Network:
    network = Network([Dense(1, bias=False)], (1,), dtype="float64")
    network.params[...] = weight
    return network


def test_two_epochs_by_hand():
    # y = w·x with w = 1, one row x = 2, t = 0, loss (w·2)², gradient 8·w, rate 1/16: w halves at every step.
    network = one_number_net(1.0)
    history = train(network, np.array([[2.0]]), np.array([[0.0]]), loss=MSE(), rate=1 / 16, epochs=2, hits=None)
    assert [(e.epoch, e.train_loss, e.train_accuracy) for e in history] == [(1, 4.0, None), (2, 1.0, None)]
    assert network.params.tolist() == [0.25]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    rows, labels = blobs(50)
    found = []
    for seed in (1, 1, 2):
        network = net(8, 2)
        train(network, rows, labels, streams=Streams.of(seed))
        found.append(network.params.tobytes())
    assert found[0] == found[1] != found[2]


def test_every_epoch_sees_each_row_once_in_an_order_of_its_own():
    seen = []

    def remember(batch, *, rng):
        seen.append(batch[:, 0].copy())
        return batch

    rows = np.arange(10.0)[:, None] * np.ones(5)
    train(net(2), rows, np.zeros(10, int), rate=1e-9, epochs=2, batch_size=4, augment=remember)
    assert [len(batch) for batch in seen] == [4, 4, 2, 4, 4, 2]
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert sorted(first) == sorted(second) == list(range(10))
    assert list(first) != list(second)


def test_without_shuffle_rows_come_in_their_order():
    seen = []
    rows = np.arange(4.0)[:, None] * np.ones(5)

    def remember(batch, *, rng):
        seen.extend(batch[:, 0])
        return batch

    train(net(2), rows, np.zeros(4, int), epochs=1, batch_size=3, augment=remember, shuffle=False)
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("batch_size", [6, 100])
def test_a_weight_of_two_is_the_row_twice_and_of_zero_its_absence(batch_size):
    rows, labels = blobs(6)
    weights = np.array([2.0, 1, 0, 1, 1, 1])
    twice = [0, 0, 1, 3, 4, 5]
    weighted, repeated = net(4, 2), net(4, 2)
    train(weighted, rows, labels, sample_weight=weights, batch_size=batch_size)
    train(repeated, rows[twice], labels[twice], batch_size=batch_size)
    np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-12)


def test_a_batch_of_rows_without_weight_changes_nothing():
    network = net(2)
    before = network.params.copy()
    rows, labels = blobs(4)
    train(network, rows, labels, sample_weight=np.array([0.0, 0, 0, 1e-300]), batch_size=1, epochs=1, rate=0.5)
    assert not np.array_equal(network.params, before)
    assert np.isfinite(network.params).all()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), "one number of at least 0 for each of the 4 rows"),
        (np.array([1.0, 1, 1, -1]), "at least 0"),
        (np.array([1.0, 1, 1, np.nan]), "at least 0"),
        (np.zeros(4), "zero for every row"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights, message):
    with pytest.raises(UsageError, match=message):
        train(net(2), *blobs(4), sample_weight=weights)


def test_sparse_rows_train_the_same_network():
    rows, labels = blobs(30)
    rows[rows < 0] = 0
    dense, thin = net(4, 2), net(4, 2)
    train(dense, rows, labels)
    train(thin, sparse.csr_array(rows), labels)
    np.testing.assert_allclose(thin.params, dense.params, rtol=1e-12)


def epoch_with(**figures: float) -> Epoch:
    return Epoch(**{**dict.fromkeys(Epoch.__dataclass_fields__), **figures})


def test_patience_counts_epochs_without_improvement():
    patience = EarlyStopping("validation_loss", epochs=2, tolerance=0.1)
    losses = [1.0, 0.95, 0.8, 0.75, 0.71, 0.75]
    #         best  too little  better  too little, too little, too little: the third in a row
    assert [patience(epoch_with(validation_loss=loss)) for loss in losses] == [False] * 5 + [True]


def test_patience_takes_a_higher_accuracy_for_better():
    patience = EarlyStopping("validation_accuracy", epochs=0)
    assert [patience(epoch_with(validation_accuracy=a)) for a in (0.5, 0.6, 0.6)] == [False, False, True]


@pytest.mark.parametrize("figure", ["seconds", "colour"])
def test_a_figure_that_training_does_not_have_is_refused(figure):
    with pytest.raises(UsageError, match="choose one of train_loss"):
        train(net(2), *blobs(4), best_by=figure, validation=held(*blobs(4)))


def test_the_best_epoch_needs_validation_rows():
    with pytest.raises(UsageError, match="needs validation rows"):
        train(net(2), *blobs(4), best_by="validation_loss")


def test_stopping_gives_back_the_weights_of_the_best_epoch():
    # Labels of the training rows are wrong, so that validation gets worse from epoch to epoch.
    rows, labels = blobs(40)
    network, kept = net(2), []
    history = train(
        network,
        rows,
        1 - labels,
        epochs=50,
        validation=held(rows, labels),
        stop=EarlyStopping("validation_loss", epochs=3),
        best_by="validation_loss",
        on_epoch=lambda epoch: kept.append(network.params.copy()),
    )
    losses = [epoch.validation_loss for epoch in history]
    assert len(history) == 5
    assert min(losses) == losses[0]
    np.testing.assert_array_equal(network.params, kept[0])


def test_without_best_by_the_last_weights_stay():
    rows, labels = blobs(40)
    network, kept = net(2), []
    train(
        network,
        rows,
        1 - labels,
        validation=held(rows, labels),
        on_epoch=lambda epoch: kept.append(network.params.copy()),
    )
    np.testing.assert_array_equal(network.params, kept[-1])


def test_validation_agrees_with_evaluate_and_counts_by_weight():
    rows, labels = blobs(40)
    network = net(2)
    weights = np.zeros(40)
    weights[:3] = 1
    history = train(network, rows, labels, validation=held(rows, labels, weights))
    loss, accuracy = evaluate(network, held(rows[:3], labels[:3]), loss=SoftmaxCrossEntropy())
    assert history[-1].validation_loss == pytest.approx(loss, rel=1e-12)
    assert history[-1].validation_accuracy == pytest.approx(accuracy)


def test_the_averaged_weights_are_validated_and_given_back():
    # w halves at every step as above: 0.5, 0.25; the average with decay 0.5 is then 0.5, 0.375.
    network = one_number_net(1.0)
    row, target = np.array([[2.0]]), np.array([[0.0]])
    average = MovingAverage(1, np.float64, decay=0.5)
    history = train(
        network,
        row,
        target,
        loss=MSE(),
        rate=1 / 16,
        epochs=2,
        hits=None,
        average=average,
        validation=held(row, target),
    )
    assert [e.validation_loss for e in history] == [1.0, 0.5625]
    assert [e.train_loss for e in history] == [4.0, 1.0]
    assert network.params.tolist() == [0.375]


def test_a_regularizer_joins_loss_and_gradient():
    # Loss 4·w² plus w² at w = 1: 5, gradient 8 + 2, rate 0.05: w = 0.5.
    network = one_number_net(1.0)

    def penalty(weight_of_batch: float) -> float:
        assert weight_of_batch == 1
        network.grads += 2 * network.params
        return float(network.params[0] ** 2)

    history = train(
        network,
        np.array([[2.0]]),
        np.array([[0.0]]),
        loss=MSE(),
        rate=0.05,
        epochs=1,
        hits=None,
        regularizer=penalty,
    )
    assert history[0].train_loss == 5.0
    assert network.params.tolist() == [0.5]


def test_a_loss_that_explodes_leaves_the_best_weights():
    # w·x with x = 1, t = 0: w ← w·(1 − 2·rate). Rate 0.25 halves w twice, then 1e200 lets it explode: the third
    # epoch still has the smallest loss, 0.25², but that of the weight 0.25 which it began with.
    network, seen = one_number_net(1.0), []
    with pytest.raises(DivergedError, match=r"epoch 4: .* smaller learning rate"):
        train(
            network,
            np.array([[1.0]]),
            np.array([[0.0]]),
            loss=MSE(),
            schedule=lambda step, steps: 0.25 if step < 2 else 1e200,
            epochs=9,
            hits=None,
            on_epoch=seen.append,
        )
    assert [epoch.train_loss for epoch in seen] == [1.0, 0.25, 0.0625]
    assert network.params.tolist() == [0.25]


def test_with_validation_the_weights_before_the_explosion_come_back():
    network = one_number_net(1.0)
    row, target = np.array([[1.0]]), np.array([[0.0]])
    with pytest.raises(DivergedError):
        train(
            network,
            row,
            target,
            loss=MSE(),
            schedule=lambda step, steps: 0.25 if step < 2 else 1e200,
            epochs=9,
            hits=None,
            validation=held(row, target),
        )
    assert network.params.tolist() == [0.25]


def test_an_explosion_in_the_first_epoch_leaves_the_weights_that_it_began_with():
    rows, labels = blobs(64)
    network = net(8, 2)
    before = network.params.copy()
    with pytest.raises(DivergedError, match="epoch 1"):
        train(network, rows, labels, rate=1e300, batch_size=4)
    np.testing.assert_array_equal(network.params, before)


def test_rows_that_are_not_numbers_are_named_as_the_cause():
    rows, labels = blobs(8)
    rows[3, 2] = np.nan
    with pytest.raises(DivergedError, match="rows hold values that are not finite"):
        train(net(2), rows, labels)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0}, "epochs and batch_size must be at least 1, found 0 and 16"),
        ({"batch_size": 0}, "found 3 and 0"),
    ],
)
def test_lengths_that_cannot_be_are_refused(given, message):
    with pytest.raises(UsageError, match=message):
        train(net(2), *blobs(4), **given)


def test_rows_and_labels_must_be_as_many():
    rows, labels = blobs(4)
    with pytest.raises(UsageError, match="4 rows, 3 labels"):
        train(net(2), rows, labels[:3])


def test_it_learns_what_is_there_to_learn():
    rows, labels = blobs(200)
    network = net(16, 2)
    history = train(
        network,
        rows,
        labels,
        optimizer=Adam(network.params.size, network.dtype),
        rate=0.01,
        epochs=10,
        validation=held(*blobs(200, seed=1)),
    )
    assert history[-1].validation_accuracy > 0.95
