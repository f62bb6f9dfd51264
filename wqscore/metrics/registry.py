"""All metrics by name, in the order of their columns, and the groups that `--metrics` accepts."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from wqscore.errors import UsageError, nearest
from wqscore.metrics.base import BASE_METRICS
from wqscore.metrics.bulk import BULK_METRICS
from wqscore.metrics.estimators import ESTIMATOR_METRICS
from wqscore.metrics.metric import Metric
from wqscore.metrics.scale import SCALE_METRICS
from wqscore.metrics.shape import SHAPE_METRICS
from wqscore.metrics.tails import TAIL_METRICS
from wqscore.metrics.trust import TRUST_METRICS
from wqscore.metrics.vectors import VECTOR_METRICS
from wqscore.metrics.whole import MODEL_METRICS

_OF_MATRICES = (
    *SHAPE_METRICS,
    *TRUST_METRICS,
    *ESTIMATOR_METRICS,
    *SCALE_METRICS,
    *TAIL_METRICS,
    *BULK_METRICS,
    *VECTOR_METRICS,
    *BASE_METRICS,
)

#: Metrics of one matrix.
MATRIX_METRICS = MappingProxyType({metric.name: metric for metric in _OF_MATRICES})

#: Metrics of a whole model.
WHOLE_METRICS = MappingProxyType({metric.name: metric for metric in MODEL_METRICS})

METRICS: MappingProxyType[str, Metric] = MappingProxyType({**MATRIX_METRICS, **WHOLE_METRICS})

#: The metrics computed by default.
CORE = tuple(name for name, metric in METRICS.items() if metric.core)

#: Classes of cost that `all` leaves out: they need another input, or cost more than everything else together.
_NOT_IN_ALL = ("vectors", "base")


def find_metric(name: str) -> Metric:
    """Return the metric of that name.

    Raises:
        UsageError: there is none; the message names the nearest, or says where all are listed.
    """
    if name in METRICS:
        return METRICS[name]
    raise UsageError(f"no metric called {name!r}: {nearest(name, METRICS, 'wqscore metrics lists them')}")


def choose_metrics(choice: str | Iterable[str], core: Iterable[str] = CORE) -> tuple[str, ...]:
    """Expand names of metrics and groups to names of metrics, each once, in the registry's order.

    Args:
        choice: names of metrics and of groups, as a sequence or separated by commas. Groups: `core`; `vectors`, of
            the singular vectors; `base`, the distances from a base checkpoint; `all` except `vectors` and `base`.
        core: the metrics of `core`, which depend on the preset.

    Raises:
        UsageError: a name is unknown, or there is none.

    Example:
        >>> choose_metrics("stable_rank,alpha")
        ('alpha', 'stable_rank')
    """
    names = choice.split(",") if isinstance(choice, str) else choice
    chosen: set[str] = set()
    for name in filter(None, (name.strip() for name in names)):
        if name == "core":
            chosen.update(core)
        elif name == "all":
            chosen.update(known for known, metric in METRICS.items() if metric.cost not in _NOT_IN_ALL)
        elif name in _NOT_IN_ALL:
            chosen.update(known for known, metric in METRICS.items() if metric.cost == name)
        else:
            chosen.add(find_metric(name).name)
    if not chosen:
        raise UsageError("no metric chosen: name one or more, or core or all")
    return tuple(name for name in METRICS if name in chosen)
