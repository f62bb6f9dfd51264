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
from wqscore.landscape.density import Density, spectral_density
from wqscore.landscape.equivalent.embedding import embed, null_embed
from wqscore.landscape.equivalent.merging import NearEmbedding, merge, near_embedding
from wqscore.landscape.equivalent.moved import Moved
from wqscore.landscape.equivalent.teleport import Teleport
from wqscore.landscape.equivalent.transformer_teleport import TransformerTeleport
from wqscore.landscape.hessian import Hessian, hessian
from wqscore.landscape.landscape import Landscape, LandscapeInterrupted, landscape
from wqscore.landscape.margin import Margins, all_layer_margin, amo_step
from wqscore.landscape.noise_levels import noise_levels
from wqscore.landscape.pacgen import PacGen, pacgen
from wqscore.landscape.sharpness import Sharpness, curvature, orbit_curvature, sharpness
from wqscore.landscape.similarity import answers_alike, cka
from wqscore.landscape.task import LandscapeError, Task
from wqscore.landscape.training.callbacks import LightningWeightLog, WeightLogCallback
from wqscore.landscape.training.dropout import dropout_penalty
from wqscore.landscape.training.jacobian import jacobian_penalty
from wqscore.landscape.training.path_norm import path_norm
from wqscore.landscape.training.penalty import norm_penalty
from wqscore.landscape.training.perturbed import PerturbedOptimizer
from wqscore.landscape.training.schedules import AlphaDecay, TempBalance, parameter_groups
from wqscore.landscape.training.weight_log import WeightLog

__all__ = [
    "Alignment",
    "AlphaDecay",
    "Connectivity",
    "Density",
    "Hessian",
    "Landscape",
    "LandscapeError",
    "LandscapeInterrupted",
    "LightningWeightLog",
    "Margins",
    "Moved",
    "NearEmbedding",
    "PacGen",
    "PerturbedOptimizer",
    "Sharpness",
    "Task",
    "Teleport",
    "TempBalance",
    "TransformerTeleport",
    "WeightLog",
    "WeightLogCallback",
    "align",
    "all_layer_margin",
    "amo_step",
    "answers_alike",
    "cka",
    "curvature",
    "dropout_penalty",
    "embed",
    "hessian",
    "jacobian_penalty",
    "landscape",
    "linear_connectivity",
    "merge",
    "mode_connectivity",
    "near_embedding",
    "noise_levels",
    "norm_penalty",
    "null_embed",
    "orbit_curvature",
    "pacgen",
    "parameter_groups",
    "path_norm",
    "sharpness",
    "spectral_density",
]
