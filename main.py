"""Inkproof's command line: `python main.py` does the main job, `python main.py --help` tells the rest."""

import os
import signal


def stop(number, frame):
    """Ctrl-C and SIGTERM while nothing but imports has happened; pipeline.cli takes over."""
    os.write(2, b"\nStopped.\n")
    os._exit(128 + number)


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    from pipeline.cli import main

    main()
