"""The main job's figures, each as a ratio to a peer measured in the same run.

    python benchmarks/main_job.py --data data/digit-recognizer.zip [--quick]

Ratios below 1 mean that ours takes less: medians of runs that took turns, and their range. Times of different days
or machines say nothing; ratios do, on a machine that does nothing else; on a shared one --threads 1 counts processor
time. --quick leaves out the whole run and the peer's whole fit.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pairs import processor, ratio, threads

HERE = Path(__file__).parent
ROOT = HERE.parent


def peer(name: str, data: str, count: int | None = None, **options: int) -> float:
    """Seconds that peers.py measures for a peer, in a process of its own on `count` threads."""
    words = [f"--{key}={value}" for key, value in options.items()]
    command = [sys.executable, str(HERE / "peers.py"), name, "--data", data, *words]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=threads(count)).stdout)


def training(data: str, rounds: int, count: int | None) -> None:
    """Seconds an epoch; the contestants take turns, and the median of the rounds counts."""
    names = ["inkproof", "scikit-learn", *(["pytorch"] if importlib.util.find_spec("torch") else [])]
    print("\nTraining 784-H-10, batch 128, Adam: seconds an epoch (ratio = ours / theirs)")
    for hidden in (128, 512):
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                seconds[name].append(peer(name, data, count, hidden=hidden, epochs=4))
        middle = {name: statistics.median(values) for name, values in seconds.items()}
        ours = middle["inkproof"]
        for name in names[1:]:
            ratios = ratio(seconds["inkproof"], seconds[name])
            print(f"  H {hidden}: ours {ours:.3f}, {name} {middle[name]:.3f}, ratio {ratios}", flush=True)
        # Forward and ∂L/∂W of the first layer, and three products of the second; 2 operations a weight and row.
        operations = 2 * 42_000 * (2 * 784 * hidden + 3 * hidden * 10)
        share = operations / ours / matrix_peak(count)
        print(f"  H {hidden}: {share:.0%} of this machine's own float32 matrix-product peak")


def matrix_peak(count: int | None) -> float:
    """Float32 operations a second in a 2048³ matrix product, the best of ten."""
    code = (
        "from pipeline.cli.blas import prefer_wide_kernels as p; p()\n"
        "import numpy as np, time\n"
        "a = np.ones((2048, 2048), np.float32); c = a @ a; best = 9.0\n"
        "for _ in range(10):\n"
        "    t = time.perf_counter(); np.dot(a, a, out=c); best = min(best, time.perf_counter() - t)\n"
        "print(2 * 2048**3 / best)"
    )
    code = code.replace("perf_counter", "process_time" if count == 1 else "perf_counter")
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=threads(count)).stdout)


def predicting(rounds: int) -> None:
    """28,000 rows and one, through 784-512-10, here and in PyTorch: both in one process, one thread, in turns."""
    code = """
import sys; sys.path[:0] = ["benchmarks"]
from pipeline.cli.blas import prefer_wide_kernels; prefer_wide_kernels()
import numpy as np, torch, time
from pairs import clock, ratio
from pipeline.nn.layers import Dense, ReLU
from pipeline.nn.network import Network
now, rounds = clock(), int(sys.argv[1])
torch.set_num_threads(1)
rows = np.random.default_rng(0).integers(0, 256, (28_000, 784), dtype=np.uint8)
ours = Network([Dense(512), ReLU(), Dense(10)], (784,), rng=np.random.default_rng(0))
theirs = torch.nn.Sequential(torch.nn.Linear(784, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
def ask(rows):
    with torch.inference_mode():
        return theirs(torch.from_numpy(rows).float() / 255).numpy()
for n, times in ((28_000, 1), (1, 1000)):
    seconds = {"ours": [], "PyTorch": []}
    for _ in range(rounds + 1):
        for name, answer in (("ours", ours.logits), ("PyTorch", ask)):
            begin = now()
            for _ in range(times): answer(rows[:n])
            seconds[name].append((now() - begin) / times)
    middle = {name: np.median(values[1:]) * 1e3 for name, values in seconds.items()}
    ratios = ratio(seconds["ours"][1:], seconds["PyTorch"][1:])
    print(f"  {n:,}: ours {middle['ours']:.3f} ms, PyTorch {middle['PyTorch']:.3f} ms, ratio {ratios}")
"""
    print("\nPredicting with 784-512-10, rows at once (one thread)", flush=True)
    subprocess.run([sys.executable, "-c", code, str(rounds)], cwd=ROOT, check=True, env=threads(1))


def reading(data: str) -> None:
    """Cold and warm reading of train.csv against pandas and, where installed, Polars."""
    code = """
import sys, time, zipfile, tempfile, shutil, statistics
from pathlib import Path
sys.path[:0] = ["benchmarks"]
import numpy as np, pandas as pd
from pairs import ratio
from pipeline import dataset
source = Path(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    if source.suffix == ".zip":
        with zipfile.ZipFile(source) as file: file.extractall(folder)
    else:
        for name in ("train.csv", "test.csv"): shutil.copy(source / name, folder)
    both = [folder / "train.csv", folder / "test.csv"]
    try:
        import polars
    except ModuleNotFoundError:
        polars = None
    theirs, others, cold, warm = [], [], [], []
    for _ in range(5):
        t = time.perf_counter()
        for path in both: pd.read_csv(path, dtype=np.uint8)
        theirs.append(time.perf_counter() - t)
        t = time.perf_counter()
        for path in both if polars else ():
            names = path.open().readline().strip().split(",")
            polars.read_csv(path, schema=dict.fromkeys(names, polars.UInt8)).to_numpy()
        others.append(time.perf_counter() - t)
        shutil.rmtree(folder / ".inkproof-cache", ignore_errors=True)
        t = time.perf_counter(); dataset.load(folder); cold.append(time.perf_counter() - t)
        t = time.perf_counter(); dataset.load(folder); warm.append(time.perf_counter() - t)
    m = statistics.median
    print(f"  cold: ours {m(cold):.2f} s, pandas {m(theirs):.2f} s, ratio {ratio(cold, theirs)}")
    if polars: print(f"  cold: ours {m(cold):.2f} s, Polars {m(others):.2f} s, ratio {ratio(cold, others)}")
    print(f"  warm, from the cache: {m(warm):.3f} s")
"""
    print("\nReading train.csv and test.csv (pandas.read_csv(dtype=uint8) beside it)", flush=True)
    subprocess.run([sys.executable, "-c", code, data], cwd=ROOT, check=True)


def whole_run(data: str) -> None:
    """`python main.py` from first to last line, against one fit of MLPClassifier((512,), early_stopping=True)."""
    print("\nThe whole of python main.py (4 levels × 3 repeats, final fits, table, figure, submission)", flush=True)
    theirs = peer("scikit-learn-early-stopping", data)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), "--data", data],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        process.stdout.readline()
        first = time.perf_counter() - begin
        peak = 0
        for _ in process.stdout:
            peak = max(peak, resident_megabytes(process.pid))
        process.wait()
        ours = time.perf_counter() - begin
    print(f"  ours {ours:.1f} s, scikit-learn's one fit {theirs:.1f} s, ratio {ours / theirs:.2f}")
    print(f"  first output after {first:.2f} s; peak memory of all processes {peak:,.0f} MB")


def resident_megabytes(pid: int) -> float:
    """Memory of a process and its children in MB, shared pages counted once (Linux only, else 0)."""
    if not Path("/proc/self/smaps_rollup").exists():
        return 0.0
    total = 0
    children = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True).stdout
    for number in [pid, *map(int, children.split())]:
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="Kaggle's zip, or a folder with train.csv and test.csv")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of every contestant; by default each chooses for itself")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    where = str(Path(options.data).resolve())
    print(processor())
    training(where, options.rounds, options.threads)
    if importlib.util.find_spec("torch"):
        predicting(options.rounds)
    reading(where)
    if not options.quick:
        whole_run(where)
