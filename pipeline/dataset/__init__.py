"""Reading a competition: Kaggle's CSV files (plain or zipped), IDX, Keras' npz, or the embedded sample.

load.py          finds what lies at a path and picks the reader
digits.py        what every reader returns: Digits and Competition
kaggle_csv.py    train.csv + test.csv + sample_submission.csv → Competition
columns.py       which column of a CSV is the label, which the id, which are pixels
rows.py          a CSV's rows → arrays, by array arithmetic
exact.py         the reference implementation of rows.py: reads cell by cell and names the first bad one
slug.py          which competition on Kaggle the data belongs to
cache.py         parsed rows kept on disk under the hash of their source
source.py        a file, or a member of a zip read without unpacking
limits.py        what is read at most, and why
extra.py         labelled rows from elsewhere, to train on beside a competition's own; rows to leave out
arrays.py        IDX files and npz archives
sample.py        scikit-learn's 8×8 digits, written as Kaggle-format CSV
"""

from pipeline.dataset.digits import Competition, Digits
from pipeline.dataset.extra import read_dropped, read_extra
from pipeline.dataset.load import load, read_blocks

__all__ = ["Competition", "Digits", "load", "read_blocks", "read_dropped", "read_extra"]
