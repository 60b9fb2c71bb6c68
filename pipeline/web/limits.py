"""How large a request may be, and how many may come."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_ADDRESSES = 10_000


@dataclass(frozen=True)
class Limits:
    """body: bytes of a request. pixels: of a picture, as its file states them. rate: requests a second and
    address, over a second; `lab_cost`: what a request to the lab or the corrections counts, which does the work of
    many. corrections: rows kept. trainings: that run at a time; training_seconds: that each may last.
    """

    body: int = 12_000_000
    pixels: int = 24_000_000
    rate: float = 2_000.0
    lab_cost: float = 20.0
    corrections: int = 10_000
    trainings: int = 3
    training_seconds: float = 900.0


class Rate:
    """Token buckets, one an address: `rate` tokens come in a second, at most one second's worth is kept.

    clock: seconds, ever growing.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.clock = rate, clock
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def allows(self, address: str, cost: float = 1.0) -> bool:
        """Take `cost` tokens from the address' bucket, if there are as many."""
        now = self.clock()
        with self._lock:
            if len(self._buckets) > MOST_ADDRESSES:  # a bucket untouched for a second is full: forget it
                self._buckets = {a: bucket for a, bucket in self._buckets.items() if now - bucket[1] < 1}
            tokens, since = self._buckets.get(address, (self.rate, now))
            tokens = min(self.rate, tokens + (now - since) * self.rate)
            allowed = tokens >= cost
            self._buckets[address] = (tokens - cost if allowed else tokens, now)
        return allowed
