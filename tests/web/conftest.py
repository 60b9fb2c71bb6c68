"""What the page's tests share: small networks with random weights, the application, and a running server."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image, ImageDraw
from visitor import Page, start_browser

from pipeline.dataset import Competition, Digits
from pipeline.nn.layers import Dense, Flatten, ReLU
from pipeline.nn.network import Network
from pipeline.prediction import model_file as model
from pipeline.prediction.picture import Style
from pipeline.prediction.reader import Reader
from pipeline.web.app import create_app
from pipeline.web.models import Choice, Models
from pipeline.web.server import bind


def random_model(seed: int, sigma: float | None, side: int = 28, classes: int = 10) -> model.Model:
    network = Network([Flatten(), Dense(24), ReLU(), Dense(classes)], (side, side), rng=np.random.default_rng(seed))
    about = {} if sigma is None else {"sigma": sigma, "recipe": {"name": "tiny"}, "data": "made up"}
    return model.Model(network, np.arange(classes), side, about)


@pytest.fixture(scope="session")
def make_model():
    return random_model


@pytest.fixture(scope="session")
def models() -> Models:
    def choice(name: str, *networks: model.Model) -> Choice:
        return Choice(name, Reader(networks, "tests", Style(), threshold=0.6))

    levels = tuple(choice(f"sigma-{s}-repeat-1", random_model(i, s)) for i, s in enumerate((0.0, 0.1, 0.3)))
    return Models(choice("all-rows", random_model(8, 0.3), random_model(9, 0.3)), levels)


@pytest.fixture(scope="session")
def bars() -> Competition:
    """Upright and level bars in 12 × 12 pixels, easy to tell apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    images = np.zeros((400, 12, 12), np.uint8)
    for image, label, place in zip(images, labels, rng.integers(2, 9, 400), strict=True):
        (image.T if label else image)[place : place + 2, 2:10] = 220
    digits = Digits(images, labels, np.array([0, 1]))
    return Competition(digits, Digits(images[:2]), np.arange(2), "id", "label", "bars", False, "memory", "bars-1")


@pytest.fixture
def app(models, tmp_path):
    return create_app(models, tmp_path / "corrections.sqlite")


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture(scope="session")
def serve():
    """serve(app) → its address behind waitress, on a free port of this machine."""
    servers = []

    def start(app):
        servers.append(bind(app, "127.0.0.1", 0))
        threading.Thread(target=servers[-1].run, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].effective_port}"

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def served(models, tmp_path_factory, serve):
    """The application, and its address."""
    app = create_app(models, tmp_path_factory.mktemp("served") / "corrections.sqlite")
    return app, serve(app)


@pytest.fixture
def address(served):
    return served[1]


@pytest.fixture(scope="session")
def seven() -> bytes:
    """A drawn seven, dark on light, as a PNG file's bytes."""
    image = Image.new("L", (120, 120), 245)
    ImageDraw.Draw(image).line([(35, 25), (85, 25), (55, 100)], fill=20, width=9, joint="curve")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driver = start_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, address):
    return Page(browser, address)
