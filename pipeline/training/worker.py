"""Worker process of parallel.py. It is started by the path of this file, so that nothing of the package is loaded yet.

Standard input: pieces of work, each a length and a pickle; its end, when the parent process is gone however that
died, is the end of this process, in the middle of an import as well. Standard output: a pickle for each piece.
"""

import mmap
import os
import pickle
import queue
import shutil
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

temporary: list[str] = []  # folders that go with the parent process, if that could not remove them
LENGTH = 8  # bytes of the number that stands before each piece of work


def main() -> None:
    with os.fdopen(os.dup(1), "wb") as results:
        os.dup2(2, 1)  # what anybody prints is no result
        pieces: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=_listen, args=(pieces,), daemon=True).start()
        sys.path[:] = pickle.loads(pieces.get())
        known, shared = None, None
        while True:
            try:
                function, item, place = pickle.loads(pieces.get())
                if place != known:
                    known, shared = place, _map(*place)
                reply = pickle.dumps((True, function(item, shared)))
            except Exception as error:
                error.add_note(traceback.format_exc())
                reply = pickle.dumps((False, error))
            results.write(reply)
            results.flush()


def _listen(pieces: queue.Queue[bytes]) -> None:
    with os.fdopen(0, "rb", closefd=False) as source:
        while length := source.read(LENGTH):
            pieces.put(source.read(int.from_bytes(length)))
    for folder in temporary:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _map(path: str, spans: list[tuple[int, int]], _: int) -> Any:
    """What lies at `path`: a pickle in the first span of bytes, its arrays in the others, which are not copied."""
    with Path(path).open("rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    head, *arrays = (content[start:stop] for start, stop in spans)
    return pickle.loads(head, buffers=arrays)


if __name__ == "__main__":
    main()
