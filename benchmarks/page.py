"""How fast the drawing page's API answers: latency at a fixed rate, throughput, processor time, memory.

    python benchmarks/page.py                        # trains on the sample in a temporary folder first
    python benchmarks/page.py --model runs/<id>      # networks of your own
    python benchmarks/page.py --requests 100000      # a long run for the memory

Server and client are two processes of this machine and share its cores, with whatever else runs there: the load
average stands beside each line, and the processor time of a request says what it costs all the same. Requests leave
on time whether or not earlier ones were answered (open loop), and latency counts from the time that one was due.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ROOT = Path(__file__).parent.parent
CONNECTIONS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a run's folder, or a model file")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement at a rate")
    parser.add_argument("--requests", type=int, default=20_000, help="of the measurement of memory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server, address = start_server(Path(folder), arguments.model)
        try:
            measure(server.pid, address, arguments.seconds, arguments.requests)
        finally:
            server.terminate()
            server.wait()


def start_server(folder: Path, model: Path | None) -> tuple[subprocess.Popen, str]:
    """The server's process and its address, http://127.0.0.1:<port>/."""
    command = [sys.executable, str(ROOT / "main.py"), "serve", "--port", "0"]
    if model is not None:
        command += ["--model", str(model.resolve())]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    for line in server.stdout:
        if line.startswith("The page is at "):
            return server, line.split()[4]
    raise SystemExit("the server did not start")


def measure(pid: int, address: str, seconds: float, requests: int) -> None:
    with urllib.request.urlopen(address + "api/models") as answer:
        side = json.load(answer)["side"]
    row = json.dumps(drawing(side).ravel().tolist()).encode()
    bodies = {
        f"{side}×{side} array": (row, "application/json"),
        f"{side}×{side} PNG": (as_png(drawing(side)), "image/png"),
        "168×168 PNG": (as_png(255 - drawing(168)), "image/png"),
        "168×168 BMP": (as_bmp(255 - drawing(168)), "image/bmp"),  # what the page sends
        "all the page asks": (as_bmp(255 - drawing(168)), "image/bmp"),
    }
    columns = "".join(
        f"{title:>11}" for title in ("rate", "answered", "errors", "median", "99 %", "largest", "server CPU", "load")
    )
    print(f"{'request':<18}{columns}")
    for name, (body, kind) in bodies.items():
        request = http(body, kind, "?explain=true&split=true" if "page" in name else "")
        asyncio.run(load(address, request, 50, 1))
        for rate in (200, 1000) if "array" in name else (200,):
            before = processor_seconds(pid)
            latencies, errors, took = asyncio.run(load(address, request, rate, seconds))
            cost = (processor_seconds(pid) - before) / len(latencies)
            report(name, rate, latencies, errors, took, cost)
    weight = sum(path.stat().st_size for path in (ROOT / "pipeline" / "web" / "static").iterdir())
    print(f"\nThe page weighs {weight / 1000:.1f} kB.\n\nMemory over {requests:,} requests:")
    request, done = http(row, "application/json"), 0
    for part in range(5):
        print(f"  after {done:>8,}: {memory(pid):.1f} MB")
        asyncio.run(load(address, request, 800, requests / 5 / 800))
        done = (part + 1) * requests // 5
    print(f"  after {done:>8,}: {memory(pid):.1f} MB")


def drawing(side: int) -> np.ndarray:
    """A seven, white on black (side, side) uint8."""
    image, s = Image.new("L", (side, side)), side / 28
    ImageDraw.Draw(image).line(
        [(7 * s, 6 * s), (20 * s, 6 * s), (12 * s, 24 * s)], fill=255, width=max(1, round(2 * s))
    )
    return np.asarray(image)


def as_png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).convert("RGBA").save(file, "PNG")  # as a canvas is saved
    return file.getvalue()


def as_bmp(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "BMP")
    return file.getvalue()


def http(body: bytes, kind: str, query: str = "") -> bytes:
    lines = (
        f"POST /api/predict{query} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", f"Content-Length: {len(body)}"
    )  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode() + body


async def load(address: str, request: bytes, rate: float, seconds: float) -> tuple[np.ndarray, int, float]:
    """Latencies in seconds (NaN without an answer), errors, and how long it took."""
    count = round(rate * seconds)
    port = int(address.rstrip("/").rpartition(":")[2])
    latencies, errors = np.full(count, np.nan), 0
    begin = time.perf_counter() + 0.1

    async def client(first: int) -> None:
        nonlocal errors
        writer = None
        for number in range(first, count, CONNECTIONS):
            due = begin + number / rate
            await asyncio.sleep(max(0, due - time.perf_counter()))
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                latencies[number] = time.perf_counter() - due
                errors += not head.startswith(b"HTTP/1.1 200")
            except (OSError, EOFError) as error:
                print(f"  request {number}: {error!r}")
                errors, writer = errors + 1, None
        if writer is not None:
            writer.close()

    await asyncio.gather(*(client(first) for first in range(min(CONNECTIONS, count))))
    return latencies, errors, time.perf_counter() - begin


def report(name: str, rate: float, latencies: np.ndarray, errors: int, seconds: float, cost: float) -> None:
    median, late, largest = (np.nanpercentile(latencies, q) * 1000 for q in (50, 99, 100))
    answered = len(latencies) / seconds
    times = "".join(f"{value:>8.2f} ms" for value in (median, late, largest))
    print(f"{name:<18}{rate:>9}/s{answered:>9.0f}/s{errors:>11}{times}{cost * 1000:>8.2f} ms{load_average():>11.1f}")


def processor_seconds(pid: int) -> float:
    """What a process has used of the processor so far; NaN where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load_average() -> float:
    """Of the last minute; NaN where the system keeps none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def memory(pid: int) -> float:
    """Resident memory in MB; NaN where there is no /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return float("nan")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
