"""The measures that every table has: how well the model does, and how large its weights are."""

from __future__ import annotations

from wqscore.landscape.measure import Choices, Estimate, ModelMeasure
from wqscore.landscape.task import Task, prepared


def _estimates(task: Task, choices: Choices) -> list[Estimate]:
    with prepared(task) as found:
        pass
    norm = sum(float(each.detach().double().square().sum()) for each in task.model.parameters()) ** 0.5
    how = "mean over all examples"
    return [
        Estimate("loss", found.loss, how),
        Estimate("error", found.error, f"{how}, in percent"),
        Estimate("weight_norm", norm, "exact, of all parameters"),
    ]


MEASURE = ModelMeasure("level", ("loss", "error", "weight_norm"), _estimates)
