"""What an interpreter shows of a result is one short line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import wqscore
from tests.rounding import expected, expected_ends


def test_every_result_is_shown_in_one_short_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = {
        f"layers.{i}.fc1.weight": rng.standard_t(3, (96, 64)) @ rng.standard_normal((64, 64)) for i in range(8)
    }
    save_file({name: values.astype("f4") for name, values in weights.items()}, tmp_path / "model.safetensors")
    score = wqscore.score(tmp_path, bootstrap=0, gof=0)
    ranking = wqscore.rank([tmp_path], bootstrap=0, gof=0)
    shown = [score, ranking, ranking.models[0], score.layers[0], wqscore.describe(tmp_path), wqscore.check(tmp_path)]
    shown += [ranking.conclusion, wqscore.gate(tmp_path, ["alpha > 6"], bootstrap=0, gof=0)]
    for result in [*shown, wqscore.plan([tmp_path])]:
        line = repr(result)
        assert len(line) < 200 + len(str(tmp_path)), line
        assert line.startswith(f"<{type(result).__name__}")
        assert "\n" not in line
    assert "8 of 8 matrices fitted" in repr(score)
    found = score.summary.statistics["alpha"]
    assert found.interval
    width = found.interval.hi - found.interval.lo
    assert f"alpha {expected(found.median, width)} ({expected_ends(*found.interval)})" in repr(score)
    assert repr(ranking).startswith("<Ranking of 1 model in 1 family")
