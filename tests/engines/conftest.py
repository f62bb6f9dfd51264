"""A real model as WeightWatcher sees it, which takes it some seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from wqscore.checkpoints.opening import open_checkpoint
from wqscore.engines.weightwatcher import WeightWatcherResult, run_weightwatcher
from wqscore.refs.parsing import parse_ref


@pytest.fixture(scope="session")
def watched_minilm(checkpoints: Path) -> WeightWatcherResult:
    return run_weightwatcher(open_checkpoint(parse_ref(str(checkpoints / "all-MiniLM-L6-v2"))))
