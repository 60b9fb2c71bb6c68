"""The drawing page among bad clients: does a good one still get its answers, and does memory stay what it was?

    python benchmarks/fault_page.py [--model runs/<id>] [--seconds 20] [--clients 200] [--cut 2000] [--requests 100000]

At once: clients who send a letter a second and never end (slow loris), idle connections, half of them before and half
after a request, and bodies that are cut anywhere or belong to no length. A good client asks all the while. Then so
many requests one after the other, with the memory between. Exits 1 when the good client gets no answer, or one that
took more than 10 s, when the server dies, speaks of a traceback, or its memory grows by more than a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
from page import CONNECTIONS, drawing, http, load, memory, start_server

LONGEST_SECONDS = 10.0
MOST_GROWTH = 1.1


async def slow(port: int, end: float, ends: Counter) -> None:
    """A request of which a letter comes each second."""
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        for letter in b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 10_000:
            if time.monotonic() > end:
                break
            writer.write(bytes([letter]))
            await asyncio.sleep(1)
        ends["slow"] += 1
        writer.close()


async def idle(port: int, end: float, request: bytes, ends: Counter) -> None:
    """A connection that says nothing; with a request, nothing more after its answer."""
    with suppress(OSError, EOFError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if request:
            writer.write(request)
            await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(max(0.0, end - time.monotonic()))
        ends["idle"] += 1
        writer.close()


async def cut(port: int, request: bytes, rng: np.random.Generator, ends: Counter) -> None:
    """A request that ends, or goes on with something else, anywhere; what is answered must be HTTP."""
    spoilt = bytearray(request[: int(rng.integers(1, len(request)))])
    if rng.random() < 0.5:
        spoilt += rng.bytes(int(rng.integers(1, 3000)))
    with suppress(ConnectionError, TimeoutError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(spoilt)
        if rng.random() < 0.8:
            writer.write_eof()
        answer = await asyncio.wait_for(reader.read(300), 5 if rng.random() < 0.2 else 0.2)
        ends["cut and answered"] += answer.startswith(b"HTTP/1.1 ")
        ends["no HTTP"] += bool(answer) and not answer.startswith(b"HTTP/1.1 ")
        ends["500"] += answer.startswith(b"HTTP/1.1 5")
        writer.close()
    ends["cut"] += 1


async def besiege(port: int, request: bytes, seconds: float, clients: int, cuts: int) -> tuple[Counter, np.ndarray]:
    """What became of the bad clients, and the seconds that each answer to the good one took."""
    ends, end, rng = Counter(), time.monotonic() + seconds, np.random.default_rng(0)
    bad = [asyncio.create_task(slow(port, end, ends)) for _ in range(clients)]
    bad += [asyncio.create_task(idle(port, end, request if n % 2 else b"", ends)) for n in range(clients)]

    async def cutting() -> None:
        for _ in range(cuts // 20):
            await asyncio.gather(*(cut(port, request, rng, ends) for _ in range(20)))

    bad.append(asyncio.create_task(cutting()))
    took = []
    while not all(task.done() for task in bad):
        begin = time.monotonic()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LONGEST_SECONDS)
            ends["good"] += head.startswith(b"HTTP/1.1 200")
            writer.close()
        except (OSError, EOFError, TimeoutError) as error:
            ends[f"good client: {error!r}"] += 1
        took.append(time.monotonic() - begin)
        await asyncio.sleep(0.1)
    await asyncio.gather(*bad)
    return ends, np.array(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a run's folder, or a model file")
    parser.add_argument("--seconds", type=float, default=20, help="of the slow and the idle clients")
    parser.add_argument("--clients", type=int, default=200, help="slow ones, and as many idle ones")
    parser.add_argument("--cut", type=int, default=2000, help="requests that are cut")
    parser.add_argument("--requests", type=int, default=100_000, help="of the measurement of memory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server, address = start_server(Path(folder), arguments.model)
        try:
            with urllib.request.urlopen(address + "api/models") as answer:
                side = json.load(answer)["side"]
            row = json.dumps(drawing(side).ravel().tolist()).encode()
            request, port = http(row, "application/json"), int(address.rstrip("/").rpartition(":")[2])
            ends, took = asyncio.run(besiege(port, request, arguments.seconds, arguments.clients, arguments.cut))
            print(dict(ends))
            print(f"The good client: {len(took)} requests, the slowest took {took.max():.2f} s.")
            asyncio.run(load(address, request, 800, 2000 / 800))  # what is allocated once is there
            sizes, errors = [memory(server.pid)], 0
            for _ in range(4 if arguments.requests else 0):
                errors += asyncio.run(load(address, request, 800, arguments.requests / 4 / 800))[1]
                sizes.append(memory(server.pid))
            print(f"Memory over {arguments.requests:,} requests on {CONNECTIONS} connections, {errors} errors: "
                  + ", ".join(f"{size:.1f}" for size in sizes) + " MB.")  # fmt: skip
            bad = ends["good"] < len(took) or took.max() > LONGEST_SECONDS or ends["no HTTP"] or ends["500"]
            bad = bad or errors or server.poll() is not None or sizes[-1] > MOST_GROWTH * sizes[0]
        finally:
            server.terminate()
            server.wait()
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
