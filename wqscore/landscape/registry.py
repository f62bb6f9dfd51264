"""All measures by the names that `--measure` and `--pairs` take."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wqscore.landscape.alignment import MEASURE as ALIGNED
from wqscore.landscape.connectivity import CURVE, LINEAR
from wqscore.landscape.density import MEASURE as DENSITY
from wqscore.landscape.distance import MEASURE as DISTANCE
from wqscore.landscape.hessian import MEASURE as HESSIAN
from wqscore.landscape.levels import MEASURE as LEVEL
from wqscore.landscape.margin import MEASURE as MARGIN
from wqscore.landscape.measure import ModelMeasure, PairMeasure
from wqscore.landscape.pacgen import MEASURE as PACGEN
from wqscore.landscape.sharpness import PHI, PSI
from wqscore.landscape.similarity import MEASURE as CKA

MODEL_MEASURES: Mapping[str, ModelMeasure] = MappingProxyType(
    {each.name: each for each in (LEVEL, HESSIAN, DENSITY, PACGEN, PHI, PSI, MARGIN)}
)
PAIR_MEASURES: Mapping[str, PairMeasure] = MappingProxyType(
    {each.name: each for each in (CURVE, LINEAR, ALIGNED, CKA, DISTANCE)}
)
#: The defaults: nothing that has to be trained.
USUAL_MEASURES, USUAL_PAIRS = ("level", "hessian"), ("linear", "cka", "l2")
