"""Networks drawn at random: perhaps convolutions with what follows them, then dense layers."""

from hypothesis import assume
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.nn.layers import (
    ACTIVATIONS,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Deslant,
    Dropout,
    Flatten,
    Layer,
    MaxPool2D,
)
from pipeline.nn.network import Network

CLASSES = 3
small = st.integers(1, 3)
pairs = st.tuples(small, small)


@st.composite
def networks(draw, rng) -> Network:
    """A float64 network for pictures of 7×8 pixels in none, 1 or 2 channels, with weights and biases from rng."""
    channels = draw(st.sampled_from([(), (1,), (2,)]))
    layers: list[Layer] = [] if channels or draw(st.booleans()) else [Deslant(limit=draw(st.sampled_from([0.1, 1.0])))]
    for _ in range(draw(st.integers(0, 2))):
        layers += draw(convolution())
    layers.append(Flatten())
    for _ in range(draw(st.integers(0, 3))):
        layers += [Dense(draw(st.integers(1, 6)), bias=draw(st.booleans())), draw(activation), *draw(dropout)]
    layers.append(Dense(CLASSES, bias=draw(st.booleans())))
    try:
        network = Network(layers, (*channels, 7, 8), rng=rng, dtype="float64")
    except UsageError:  # strides have left too small a picture
        assume(False)
    network.params += 0.3 * rng.normal(size=network.params.size)
    return network


activation = st.sampled_from(ACTIVATIONS).map(lambda kind: kind())
dropout = st.sampled_from([None, 0.05, 0.5]).map(lambda rate: [] if rate is None else [Dropout(rate)])


@st.composite
def convolution(draw) -> list[Layer]:
    padding = draw(st.sampled_from(["valid", "same"]))
    made: list[Layer] = [
        Conv2D(draw(small), draw(pairs), stride=draw(pairs), padding=padding, bias=draw(st.booleans()))
    ]
    if draw(st.booleans()):
        made.append(BatchNorm())
    made.append(draw(activation))
    pool = draw(st.sampled_from([None, MaxPool2D, AveragePool2D]))
    if pool is not None:
        made.append(pool(draw(pairs), stride=draw(pairs)))
    return [*made, *draw(dropout)]
