"""What the readers of data files take at most; what passes a limit is refused with a sentence, before it is used."""

MAX_MEMBER_BYTES = 4 * 2**30
"""Of a table or an array: 50 times Kaggle's train.csv, far below what fills a machine."""

MAX_LINE_BYTES = 2**20
"""Of one row, which is held whole: pictures of 512×512 in three digits fit."""

MAX_ROWS = 2**22
"""Five times EMNIST's; a label or an id takes 60 bytes until all are known."""

MAX_BLANK_LINES = 1000
"""At a file's end; editors leave one or two, a broken disk leaves millions."""

MAX_KEY_LETTERS = 255
"""Of a label or an id: as long as a file's name may be. A NumPy array of text takes the longest for every row."""

MIN_CLASSES, MAX_CLASSES = 2, 1000
"""A single class cannot be told from anything; more than ImageNet's are ids that were taken for labels."""

READ_SECONDS, READ_BYTES_A_SECOND = 60, 2**20
"""Processor time for reading a file: a minute, and a second more for every MiB; exact.py needs a tenth of that."""
