"""A visitor of the page: what can be done there and what is seen, by way of Debian's Chromium and Selenium."""

from __future__ import annotations

import base64
import shutil

import numpy as np
import pytest

from pipeline.prediction import picture

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
try:
    from selenium import webdriver
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    webdriver = Keys = None

in_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER and webdriver),
    reason="needs Chromium and its driver (apt-get install chromium chromium-driver) and pip install selenium",
)
SEVEN = [(0.3, 0.22), (0.5, 0.21), (0.7, 0.22), (0.6, 0.45), (0.45, 0.8)]
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1200,1000",
    "--force-device-scale-factor=1.5",
)


def start_browser(folder):
    """A browser with an empty profile in `folder`, without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(30)
    return driver


class Page:
    """What a visitor does and sees."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address
        driver.get(address + "/healthz")  # of the same origin, without a script that would write it again
        driver.execute_script("sessionStorage.clear(); localStorage.clear()")  # nothing of an earlier visit
        driver.get(address + "/?anew")
        self.wait(lambda: len(self.all("#bars li")) == 10)
        self.board = self.one("#paper")
        # Keeps what the page sends, to ask the model itself about it.
        driver.execute_script(
            """
            const real = window.fetch;
            Object.assign(window, {sent: [], busy: 0, since: performance.now()});
            window.fetch = async (url, options) => {
              if (options?.body instanceof Blob) window.sent.push(options.body);
              window.busy++;
              try { return await real(url, options); } finally { window.busy--; window.since = performance.now(); }
            };
            """
        )

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def wait(self, condition, seconds=15):
        return WebDriverWait(self.driver, seconds, 0.03).until(lambda _: condition())

    def text(self, selector):
        return self.script("return document.querySelector(arguments[0]).textContent", selector)

    def quiet(self):
        """Wait until the page has its last answer: for a while nothing was asked and nothing is under way."""
        self.script("window.since = performance.now()")
        self.wait(lambda: self.script("return !window.busy && performance.now() - window.since > 200"))

    def offset(self, point):
        size = self.board.size
        return round((point[0] - 0.5) * size["width"]), round((point[1] - 0.5) * size["height"])

    def draw(self, points, pointer="mouse", **pressed):
        """A stroke through the points, in shares of the board, with a mouse, touch or pen."""
        builder = ActionBuilder(self.driver, mouse=PointerInput(pointer, f"the {pointer}"), duration=20)
        action = builder.pointer_action
        action.move_to(self.board, *self.offset(points[0])).pointer_down(**pressed)
        for point in points[1:]:
            action.move_to(self.board, *self.offset(point), **pressed)
        action.pointer_up()
        builder.perform()
        self.quiet()

    def ink(self):
        """Share of the board's pixels that are dark."""
        return self.script(
            """
            const c = arguments[0], d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let dark = 0;
            for (let i = 0; i < d.length; i += 4) if (d[i] < 128) dark++;
            return dark / (d.length / 4);
            """,
            self.board,
        )

    def bars(self):
        """The widths of the bars, 0 … 1."""
        read = "return [...document.querySelectorAll('#bars .fill')].map((bar) => bar.style.transform)"
        return np.array([float(shape.removeprefix("scaleX(").removesuffix(")")) for shape in self.script(read)])

    def last_sent(self) -> bytes:
        """The bytes of the picture that the page asked about last."""
        url = self.driver.execute_async_script(
            """
            const done = arguments[0], reader = new FileReader();
            reader.onload = () => done(reader.result); reader.readAsDataURL(window.sent.at(-1));
            """
        )
        return base64.b64decode(url.partition(",")[2])

    def set(self, name, value):
        self.script(
            "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
            "e.dispatchEvent(new Event('input'))",
            name,
            value,
        )


def paste(page, content: bytes, name="seven.png", kind="image/png"):
    page.script(
        """
        const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0)), data = new DataTransfer();
        data.items.add(new File([bytes], arguments[1], {type: arguments[2]}));
        document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true}));
        """,
        base64.b64encode(content).decode(),
        name,
        kind,
    )


def expected_by(choice, content: bytes) -> np.ndarray:
    prepared = picture.prepare(picture.decode(content))
    return choice.probabilities(prepared.image[None])[0]


def expected(models, content: bytes) -> np.ndarray:
    return expected_by(models.default, content)
