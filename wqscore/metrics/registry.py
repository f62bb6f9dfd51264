"""All metrics by name, in the order of their columns."""

from __future__ import annotations

import difflib
from types import MappingProxyType

from wqscore.errors import UsageError
from wqscore.metrics.metric import Metric
from wqscore.metrics.scale import SCALE_METRICS
from wqscore.metrics.shape import SHAPE_METRICS

METRICS = MappingProxyType({metric.name: metric for metric in (*SHAPE_METRICS, *SCALE_METRICS)})


def find_metric(name: str) -> Metric:
    """Return the metric of that name.

    Raises:
        UsageError: there is none; the message names the nearest, or all.
    """
    if name in METRICS:
        return METRICS[name]
    near = difflib.get_close_matches(name, METRICS, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(METRICS)}"
    raise UsageError(f"no metric called {name!r}: {hint}")
