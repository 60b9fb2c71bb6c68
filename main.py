"""Inkproof's command line: `python main.py` does the main job, `python main.py --help` tells the rest."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
