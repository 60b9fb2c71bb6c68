"""Any picture of a digit → what the network was trained on.

    file ── decode ── grey values ─┬─ find_panel    a card on a table, a canvas on a page
                                   ├─ find_ink      paper and polarity, lamp and shadow taken out
                                   ├─ remove_lines  ruled and squared paper
                                   ├─ find_pieces, choose   frames, specks and neighbours left out
                                   └─ fit           box, stroke weight, centre of mass
                                   = prepare: a Prepared

Page, command line and tests all call `prepare`, so that they cannot disagree. Nothing here writes a file.
"""

from pipeline.prediction.picture.files import Limits, decode
from pipeline.prediction.picture.fit import MNIST, Style, style_of
from pipeline.prediction.picture.steps import (
    BLANK,
    EDGE,
    FAINT,
    NOT_SURE,
    SEVERAL,
    SURE,
    THIN,
    Prepared,
    prepare,
    prepare_and_split,
    split_digits,
    verdict,
)  # fmt: skip

__all__ = [
    "BLANK", "EDGE", "FAINT", "MNIST", "NOT_SURE", "SEVERAL", "SURE", "THIN", "Limits", "Prepared", "Style", "decode",
    "prepare", "prepare_and_split", "split_digits", "style_of", "verdict",
]  # fmt: skip
