"""Agreement with PyTorch, where it is installed, in float64: parts alone, and whole trainings of 20 steps."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pipeline.nn import layers  # noqa: E402
from pipeline.nn.averaging import MovingAverage, TailAverage  # noqa: E402
from pipeline.nn.losses import MSE, BinaryCrossEntropy, SoftmaxCrossEntropy  # noqa: E402
from pipeline.nn.network import Network  # noqa: E402
from pipeline.nn.optimizers import SGD, Adam, AdamW, RMSProp  # noqa: E402
from pipeline.nn.schedules import Cosine, OneCycle, Step  # noqa: E402
from pipeline.nn.workspace import Pass  # noqa: E402

STEPS = 20
CLASSES = 4


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def torch_layer(layer, inputs):
    """PyTorch's module for a layer whose rows have the shape `inputs`."""
    channels = inputs[0]
    match layer:
        case layers.Dense():
            return torch.nn.Linear(channels, layer.units, bias=layer.bias)
        case layers.Conv2D():
            padding = tuple(size // 2 for size in layer.kernel) if layer.padding == "same" else 0
            return torch.nn.Conv2d(channels, layer.filters, layer.kernel, layer.stride, padding, bias=layer.bias)
        case layers.BatchNorm():
            kind = torch.nn.BatchNorm1d if len(inputs) == 1 else torch.nn.BatchNorm2d
            return kind(channels, eps=layer.epsilon, momentum=layer.momentum)
        case layers.MaxPool2D():
            return torch.nn.MaxPool2d(layer.size, layer.stride)
        case layers.AveragePool2D():
            return torch.nn.AvgPool2d(layer.size, layer.stride)
        case layers.LeakyReLU():
            return torch.nn.LeakyReLU(layer.slope)
        case layers.Linear():
            return torch.nn.Identity()
    names = {"Flatten", "Sigmoid", "ReLU", "Tanh", "GELU", "Softplus"}
    assert type(layer).__name__ in names
    return getattr(torch.nn, type(layer).__name__)()


def torch_network(network):
    """The same network in PyTorch, with a copy of its weights."""
    modules, shape = [], network.input_shape
    for layer in network.layers:
        module = torch_layer(layer, shape).double()
        for (name, ours), theirs in zip(layer.params.items(), module.parameters(), strict=True):
            is_dense_weight = isinstance(layer, layers.Dense) and name == "weight"
            theirs.data = torch.tensor(ours.T if is_dense_weight else ours).contiguous()
        modules.append(module)
        shape = layer.output_shape(shape)
    return torch.nn.Sequential(*modules)


def torch_params(network, module):
    """The parameters of torch_network(network) in the order and layout of network.params."""
    parts = []
    for layer, child in zip(network.layers, module, strict=True):
        for theirs in child.parameters():
            array = theirs.detach().numpy()
            parts.append((array.T if isinstance(layer, layers.Dense) and array.ndim == 2 else array).ravel())
    return np.concatenate(parts)


def dense():
    hidden = [layers.Dense(9), layers.ReLU(), layers.Dense(8, bias=False), layers.BatchNorm(), layers.Tanh()]
    return [*hidden, layers.Dense(7), layers.GELU(), layers.Dense(CLASSES)], (6,)


def convolutional():
    # Without a bias before BatchNorm: its gradient is 0 but for rounding, which Adam would blow up to whole steps.
    pictures = [
        layers.Conv2D(3, 3, padding="same", bias=False),
        layers.BatchNorm(),
        layers.ReLU(),
        layers.MaxPool2D(4, stride=1),
        layers.Conv2D(4, (2, 3), stride=2),
        layers.LeakyReLU(),
        layers.AveragePool2D(2),
    ]
    return [*pictures, layers.Flatten(), layers.Dense(5), layers.Softplus(), layers.Dense(CLASSES)], (2, 10, 11)


OPTIMIZERS = [
    (SGD, {}, torch.optim.SGD, {}),
    (SGD, {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    (SGD, {"momentum": 0.9, "nesterov": True}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    (SGD, {"weight_decay": 0.01}, torch.optim.SGD, {"weight_decay": 0.01}),
    (RMSProp, {}, torch.optim.RMSprop, {}),
    (RMSProp, {"rho": 0.9, "weight_decay": 0.01}, torch.optim.RMSprop, {"alpha": 0.9, "weight_decay": 0.01}),
    (Adam, {}, torch.optim.Adam, {}),
    (Adam, {"beta_1": 0.8, "weight_decay": 0.01}, torch.optim.Adam, {"betas": (0.8, 0.999), "weight_decay": 0.01}),
    (AdamW, {}, torch.optim.AdamW, {}),
    (AdamW, {"weight_decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}),
]


@pytest.mark.parametrize("build", [dense, convolutional])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize(("kind", "ours", "torch_kind", "theirs"), OPTIMIZERS)
def test_twenty_steps(build, clip_norm, kind, ours, torch_kind, theirs):
    rng = np.random.default_rng(0)
    stack, shape = build()
    network = Network(stack, shape, rng=rng, dtype="float64")
    module = torch_network(network)
    schedule = OneCycle(peak=0.01, warmup=0.4)
    optimizer = kind(network.params.size, network.dtype, clip_norm=clip_norm, **ours)
    torch_optimizer = torch_kind(module.parameters(), lr=0.01, **theirs)
    torch_schedule = torch.optim.lr_scheduler.OneCycleLR(
        torch_optimizer, max_lr=0.01, total_steps=STEPS, pct_start=0.4, cycle_momentum=False
    )
    loss, torch_loss = SoftmaxCrossEntropy(label_smoothing=0.1), torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    ctx = Pass(train=True)
    before = network.params.copy()
    for step in range(STEPS):
        x, labels = rng.normal(size=(12, *shape)), rng.integers(CLASSES, size=12)
        outputs, backward = network.forward(x, ctx)
        backward(loss(outputs, labels, ctx)[1])
        optimizer.step(network.params, network.grads, schedule(step, STEPS))

        torch_optimizer.zero_grad()
        torch_loss(module(torch.tensor(x)), torch.tensor(labels)).backward()
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(module.parameters(), clip_norm)
        torch_optimizer.step()
        torch_schedule.step()
    assert np.abs(network.params - before).max() > 1e-3
    assert np.abs(network.params - torch_params(network, module)).max() < 1e-9
    module.eval()
    asked = rng.normal(size=(5, *shape))
    np.testing.assert_allclose(network.logits(asked), module(torch.tensor(asked)).detach(), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", layers.ACTIVATIONS)
def test_activations(kind):
    x = np.concatenate([np.linspace(-30, 30, 301), [-1e4, 1e4]])[None]
    y, backward = kind().forward(x, Pass(wants_input_gradient=True))
    theirs = torch.tensor(x, requires_grad=True)
    out = torch_layer(kind(), (303,))(theirs)
    out.sum().backward()
    # PyTorch's softplus is the line y = x above 20, where the true value differs by 2e-9.
    tolerance = 3e-9 if kind is layers.Softplus else 1e-13
    np.testing.assert_allclose(y, out.detach(), rtol=1e-13, atol=tolerance)
    np.testing.assert_allclose(backward(np.ones_like(x)), theirs.grad, rtol=1e-12, atol=tolerance)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_losses(scale):
    rng = np.random.default_rng(0)
    z, labels, targets = rng.uniform(-scale, scale, (6, 3)), rng.integers(3, size=6), rng.uniform(size=(6, 3))
    class_weight = [1.0, 3.0, 0.5]
    cases = [
        (SoftmaxCrossEntropy(label_smoothing=0.2), labels, torch.nn.CrossEntropyLoss(label_smoothing=0.2)),
        (
            SoftmaxCrossEntropy(class_weight=class_weight),
            labels,
            torch.nn.CrossEntropyLoss(weight=torch.tensor(class_weight).double()),
        ),
        (MSE(), targets, torch.nn.MSELoss()),
        (BinaryCrossEntropy(), targets, torch.nn.BCEWithLogitsLoss()),
    ]
    for ours, t, theirs in cases:
        value, d = ours(z, t, Pass())
        logits = torch.tensor(z, requires_grad=True)
        expected = theirs(logits, torch.tensor(t))
        expected.backward()
        assert value == pytest.approx(expected.item(), rel=1e-12)
        np.testing.assert_allclose(d, logits.grad, rtol=1e-12, atol=1e-15)


def test_schedules():
    torch_rates = torch.optim.lr_scheduler
    cases = [
        (Cosine(learning_rate=0.1, last=0.001), lambda o: torch_rates.CosineAnnealingLR(o, T_max=50, eta_min=0.001)),
        (
            Step(learning_rate=0.1, at=[0.5, 0.8], factor=0.3),
            lambda o: torch_rates.MultiStepLR(o, milestones=[25, 40], gamma=0.3),
        ),
        (
            OneCycle(peak=0.2, warmup=0.3, start_divisor=10, end_divisor=100),
            lambda o: torch_rates.OneCycleLR(
                o, 0.2, total_steps=50, pct_start=0.3, div_factor=10, final_div_factor=100, cycle_momentum=False
            ),
        ),
    ]
    for schedule, build in cases:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        theirs = build(optimizer)
        for step in range(50):
            assert schedule(step, 50) == pytest.approx(theirs.get_last_lr()[0], rel=1e-11)
            optimizer.step()
            if step < 49:
                theirs.step()


@pytest.mark.parametrize(
    ("ours", "theirs", "rtol"),
    [
        (MovingAverage(6, np.dtype("float64"), decay=0.9), torch.optim.swa_utils.get_ema_multi_avg_fn(0.9), 1e-13),
        # PyTorch has 1 / n as a float32.
        (TailAverage(6, np.dtype("float64"), start=0.0), torch.optim.swa_utils.get_swa_multi_avg_fn(), 1e-6),
    ],
)
def test_averages(ours, theirs, rtol):
    model = torch.nn.Linear(3, 2, bias=False).double()
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=theirs)
    rng = np.random.default_rng(0)
    for _ in range(10):
        params = rng.normal(size=6)
        model.weight.data = torch.tensor(params.reshape(2, 3))
        averaged.update_parameters(model)
        ours.update(params, 1.0)
    np.testing.assert_allclose(ours.values, averaged.module.weight.detach().numpy().ravel(), rtol=rtol)
