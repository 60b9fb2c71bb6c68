"""What the readers of data files take at most; what passes a limit is refused with a sentence, before it is used."""

MAX_MEMBER_BYTES = 4 * 2**30  # of a table or an array: 50 times Kaggle's train.csv, far below what fills a machine
MAX_LINE_BYTES = 2**20  # of a row, which is held whole: pictures of 512×512 in three digits fit
MAX_ROWS = 2**22  # five times EMNIST's; a label or an id takes 60 bytes until all are known
MAX_BLANK_LINES = 1000  # at a file's end: editors leave one or two, a broken disk leaves millions
MAX_KEY_LETTERS = 255  # of a label or an id, as of a file's name: an array of text takes the longest for every row
MIN_CLASSES, MAX_CLASSES = 2, 1000  # more than ImageNet's are ids that were taken for labels
READ_SECONDS, READ_BYTES_A_SECOND = 60, 2**20  # of processor time: a minute and a second for each MiB, ten times enough
