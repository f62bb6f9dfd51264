"""A float model against its quantised copies: the change is that of the format's own tool."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import wqscore


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0"])
def test_the_change_of_a_gguf_is_what_its_rounding_makes(tmp_path: Path, kind: str) -> None:
    from safetensors.torch import save_file

    from tests.formats.gguf_files import WIDE, written_model
    from tests.formats.made import llama, state_of

    floats = state_of(llama(hidden_size=WIDE, intermediate_size=2 * WIDE))
    save_file({name: value.contiguous() for name, value in floats.items()}, tmp_path / "float.safetensors")
    made = written_model(tmp_path, kind)
    found = wqscore.diff(
        tmp_path / "float.safetensors", str(made.ref), metrics="stable_rank", bootstrap=0, gof=0, jobs=1
    )
    rows = json.loads(found.to_json())["matrices"]
    assert len(rows) == sum(value.ndim == 2 for value in floats.values())
    for row in rows:
        before, after = (state[row["name"]].double().numpy() for state in (floats, made.weights))
        assert row["relative_change"] == pytest.approx(
            np.linalg.norm(after - before) / np.linalg.norm(before), rel=1e-9
        )
        largest = np.linalg.svd(after - before, compute_uv=False)[0] ** 2
        assert row["delta_lambda_max"] == pytest.approx(largest, rel=1e-9)
