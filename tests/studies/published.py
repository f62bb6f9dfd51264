"""The published tables."""

from __future__ import annotations

from pathlib import Path

from wqscore.studies.known.score_table import Joined, read_table, single_table

FOLDER = Path(__file__).parents[1] / "data" / "published"
TORCHVISION = FOLDER / "torchvision_imagenet_2020.csv"
TAXONOMY = FOLDER / "taxonomy_phase_grid_resnet18_cifar10.csv"
LEADERBOARD = FOLDER / "weightwatcher_ai_llm_leaderboard_top20.csv"


def published(path: Path) -> Joined:
    return single_table(read_table(path), ["model"])
