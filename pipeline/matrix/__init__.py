"""The parts of a comparison's matrix: how networks are trained, what they are tested on, and the fits on disk.

rows.py      training conditions from their names
columns.py   test conditions and attacks from their names, with short forms for many
layout.py    a comparison's settings, and the tasks that follow from them
kept.py      one finished fit in one file, and whether it is the fit that is wanted
"""
