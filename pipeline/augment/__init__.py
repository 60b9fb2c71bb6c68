"""Changes made to training pictures: each is called with a batch and rng, and gives the batch back.

A batch is floats (n, height, width) in [0, 1], which are changed in place.
"""

from pipeline.augment.chain import Chain
from pipeline.augment.cutout import CutOut
from pipeline.augment.distort import Affine, Elastic
from pipeline.augment.shift import Shift
from pipeline.augment.thickness import Thickness
from pipeline.augment.upstroke import Upstroke

# What a recipe's [[augment]] may name. Noise is not among them: its level is what a run compares.
CHANGES = {change.__name__: change for change in (Shift, Affine, Elastic, Thickness, CutOut, Upstroke)}

__all__ = ["CHANGES", "Affine", "Chain", "CutOut", "Elastic", "Shift", "Thickness", "Upstroke"]
