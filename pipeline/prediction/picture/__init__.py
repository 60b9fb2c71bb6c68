"""Any picture of a digit → what the network was trained on.

    file ── decode ── Picture.grey ─┬─ find_panel    a card on a table, a canvas on a page
                                    ├─ find_ink      paper and polarity, lamp and shadow taken out
                                    ├─ remove_lines  ruled and squared paper
                                    ├─ find_pieces, choose   frames, specks and neighbours left out
                                    └─ fit           box, stroke weight, centre of mass
                                    = prepare: a Prepared, which holds each of these steps

Page, command line and tests all call `prepare`, so that they cannot disagree. Nothing here writes a file.
"""

from pipeline.prediction.picture.answer import NOT_SURE, SURE, calibrate, verdict
from pipeline.prediction.picture.files import Limits, Picture, decode
from pipeline.prediction.picture.fit import Style, style_of
from pipeline.prediction.picture.steps import (
    BLANK,
    EDGE,
    FAINT,
    SEVERAL,
    THIN,
    Prepared,
    prepare,
    prepare_and_split,
    split_digits,
)

__all__ = [
    "BLANK",
    "EDGE",
    "FAINT",
    "NOT_SURE",
    "SEVERAL",
    "SURE",
    "THIN",
    "Limits",
    "Picture",
    "Prepared",
    "Style",
    "calibrate",
    "decode",
    "prepare",
    "prepare_and_split",
    "split_digits",
    "style_of",
    "verdict",
]
