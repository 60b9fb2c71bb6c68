"""The hostile thing, thousands of times: files that are damaged or made to do harm, killed jobs, full disks.

    python benchmarks/faults.py [--inputs 2000] [--kills 300] [--disks 60] [--seed 0] [READER …]

Files that others wrote (fault_inputs.py) and that we did (fault_records.py): of each input there are two good ends, it
is refused with one sentence, or it is read and holds what other code finds in it. Jobs (fault_jobs.py, fault_disks.py)
are killed, stopped, started twice and starved of disk, and must end as if nothing had happened when they are typed
again. Exits 1 after a traceback, a hang of more than 10 s of processor time, a changed pixel, label, id or byte, a
sentence of several lines, a damaged zip of which only a row's content is told, an orphan, a half file, a wrong exit
code. The jobs need Linux; disks are mounted where the user may, else files are limited in size.
"""

from __future__ import annotations

import argparse
import faulthandler
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from fault_disks import disks  # noqa: E402
from fault_inputs import READERS  # noqa: E402
from fault_jobs import kills  # noqa: E402
from fault_records import RECORDS  # noqa: E402
from fault_tables import Reader  # noqa: E402

from pipeline.errors import InkproofError  # noqa: E402

HANG_SECONDS = 10
STUCK_SECONDS = 300  # of the clock: a reader that waits uses no processor time
LONGEST_SENTENCE = 700  # letters, the path left out
GOOD = ("refused", "read")
ENDS = (*GOOD, "traceback", "hang", "changed", "sentence", "wrong cause")


def strike(reader: Reader, rng: np.random.Generator, folder: Path) -> tuple[str, str]:
    """One input in an empty folder: how it ended (see ENDS), and what was said."""
    path = reader.make(rng, folder)
    begin = time.process_time()
    try:
        with warnings.catch_warnings(action="error"):  # nothing but our own sentences may reach a terminal
            facts = reader.read(path)
        end, said = "read", ""
    except InkproofError as error:
        end, said = "refused", str(error)
    except Exception:
        end, said = "traceback", traceback.format_exc(limit=-4)
    if time.process_time() - begin > HANG_SECONDS:
        return "hang", f"{time.process_time() - begin:.0f} s; {said}"
    if end == "read" and reader.expect is not None:
        try:
            expected = reader.expect(path)
        except Exception as error:
            return "changed", f"taken, where other code says {error!r}"
        if facts != expected:
            return "changed", f"{str(facts)[:300]} where {str(expected)[:300]} is expected"
    if end == "refused":
        bare = said.replace(str(folder), "")
        if "\n" in bare or len(bare) > LONGEST_SENTENCE or bare[-1:] not in (".", "?"):
            return "sentence", bare
        if ", row " in bare and path.suffix == ".zip" and is_damaged(path):
            return "wrong cause", bare
    return end, said


def is_damaged(path: Path) -> bool:
    with suppress(Exception), zipfile.ZipFile(path) as archive:
        return archive.testzip() is not None
    return True


def readers(inputs: int, seed: int, show: Callable[[str], None] = print, only: Sequence[str] = ()) -> int:
    """Every reader with so many inputs; gives how many ended badly."""
    bad = 0
    for number, (name, reader) in enumerate((READERS | RECORDS).items()):
        if only and name not in only:
            continue
        ends, begin, slowest = Counter(), time.process_time(), 0.0
        for trial in range(inputs):
            folder = Path(tempfile.mkdtemp(prefix="inkproof-faults-"))
            faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
            start = time.process_time()
            try:
                end, said = strike(reader, np.random.default_rng([seed, number, trial]), folder)
            finally:
                faulthandler.cancel_dump_traceback_later()
                shutil.rmtree(folder)
            slowest = max(slowest, time.process_time() - start)
            ends[end] += 1
            if end not in GOOD:
                bad += 1
                show(f"{name}, input {trial}: {end}: {said}")
        counts = ", ".join(f"{end} {ends[end]:,}" for end in ENDS if ends[end] or end in GOOD)
        show(f"{name}: {inputs:,} inputs, {counts} ({time.process_time() - begin:.0f} s, the slowest {slowest:.1f} s)")
    return bad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*READERS, *RECORDS]
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"{', '.join(names)}; by default all")
    parser.add_argument("--inputs", type=int, default=2000, help="for each reader (default 2000)")
    parser.add_argument("--kills", type=int, default=300, help="of jobs, in turn (default 300)")
    parser.add_argument("--disks", type=int, default=60, help="full disks and closed places, and pairs (default 60)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if unknown := set(arguments.readers) - set(names):
        parser.error(f"there is no reader {', '.join(unknown)}")
    bad = readers(arguments.inputs, arguments.seed, only=arguments.readers) if arguments.inputs else 0
    bad += kills(arguments.kills, arguments.seed) if arguments.kills else 0
    bad += disks(arguments.disks, arguments.seed) if arguments.disks else 0
    print(f"{bad:,} bad ends" if bad else "No traceback, no hang, no orphan, no half file, nothing changed.")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
