"""`wqscore.card`: a section for a model's card."""

from __future__ import annotations

from typing import Any, Unpack

from wqscore.api.score import score
from wqscore.api.settings import Settings, SettingsKeywords, takes_settings
from wqscore.errors import UsageError
from wqscore.execution.progress import RankProgress
from wqscore.ranking.card import Card
from wqscore.refs.reference import Model
from wqscore.scoring.model_score import ModelScore


@takes_settings
def card(
    model: Model,
    *,
    config: Any = None,
    name: str | None = None,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Unpack[SettingsKeywords],
) -> Card:
    """Make a section for a model's card, as `wqscore card` does.

    Args:
        model: a score, or a model as for `wqscore.score`.
        config: as for `wqscore.score`.
        name: as for `wqscore.score`.
        settings: as for `wqscore.score`.
        progress: receives progress.
        **changes: settings by name, as for `wqscore.score`.

    Returns:
        The card; `print(card)` and `card.to_markdown()` give its text.

    Raises:
        UsageError: settings for a score that is made already, or a balanced one; otherwise as for `wqscore.score`.
        CheckpointError: a model that can't be found, fetched or read.

    Example:
        `Path("README.md").write_text(wqscore.card("./run-1").to_markdown())`
    """
    if not isinstance(model, ModelScore):
        model = score(model, config=config, name=name, settings=settings, progress=progress, **changes)
    elif changes or settings is not None or config is not None or name is not None:
        raise UsageError("a score is made already: leave settings, config and name out, or pass the model")
    if model.gauge != "none":
        raise UsageError("a card's command repeats the score of the stored weights: leave gauge out")
    return Card(model)
