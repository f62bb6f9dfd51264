"""The HTML page of a study of symmetries: what applies, how far every metric moves, and what doesn't apply."""

from __future__ import annotations

from wqscore.escaping import printable
from wqscore.rendering.html.page import environment, still_page
from wqscore.studies.symmetry.report import NOT_COMPARED, answer, cell, not_applied, outputs_cell
from wqscore.studies.symmetry.symmetry import DRAWS, Symmetry
from wqscore.symmetries.transformations import SPREAD

#: What each transformation does to the weights.
CHANGES = {
    "attention.qk": "in each head, queries × A and keys × A⁻ᵀ",
    "attention.vo": "in each head, values × A and the weights that read them × A⁻¹",
    "norm.gain": "gain and shift of a norm × s, what reads it ÷ s",
    "norm.mean": "a constant is added to all outputs of a layer, which the LayerNorm after it subtracts",
    "neuron.scale": "weights into a hidden neuron × c, out of it ÷ c",
    "neuron.permutation": "hidden neurons in another order",
    "neuron.split": "an eighth of the hidden neurons is stored twice, with the outgoing weights shared out",
    "head.permutation": "attention heads in another order",
    "residual.rotation": "the residual stream in other axes",
    "residual.scale": "all that is added to the residual stream × c",
}


def symmetry_html(found: Symmetry) -> str:
    """Render a study as one self-contained HTML page, which fetches nothing and runs no code.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    applying = [each for each in found.transformations if each.applies]
    moves = [moved for each in applying for moved in each.metrics.values()]
    return still_page(
        environment(__package__, cell=cell, outputs=outputs_cell),
        "symmetry.html.j2",
        label=printable(found.score.ref.label),
        answer=[printable(line) for line in answer(found)],
        applying=applying,
        compared=any(each.logit_change is not None for each in applying),
        not_compared=NOT_COMPARED,
        unclaimed=any(moved.invariance == "none-claimed" for moved in moves),
        others=[(names, printable(reason)) for reason, names in not_applied(found).items()],
        changes=CHANGES,
        metrics=found.score.metrics,
        headline=found.score.preset.headline,
        seed=found.score.seed,
        draws=DRAWS,
        spread=SPREAD,
    )
