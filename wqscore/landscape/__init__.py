"""The loss landscape around a model, for whoever has a loss: the extra `wqscore[landscape]`.

Nothing of the package imports this room but its command, and importing it imports torch.
"""

from wqscore.errors import MissingExtraError

try:
    import torch as torch
except ImportError as error:
    raise MissingExtraError(
        f"the landscape needs {error.name}, which is not installed: pip install 'wqscore[landscape]'"
    ) from error

from wqscore.landscape.alignment import Alignment, align
from wqscore.landscape.connectivity import Connectivity, linear_connectivity, mode_connectivity
from wqscore.landscape.hessian import Hessian, hessian
from wqscore.landscape.similarity import answers_alike, cka
from wqscore.landscape.task import LandscapeError, Task
from wqscore.landscape.training.penalty import norm_penalty
from wqscore.landscape.training.schedules import AlphaDecay, TempBalance, parameter_groups

__all__ = [
    "Alignment",
    "AlphaDecay",
    "Connectivity",
    "Hessian",
    "LandscapeError",
    "Task",
    "TempBalance",
    "align",
    "answers_alike",
    "cka",
    "hessian",
    "linear_connectivity",
    "mode_connectivity",
    "norm_penalty",
    "parameter_groups",
]
