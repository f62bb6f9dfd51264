"""`wqscore card`: Markdown that a parser reads as tables and text, and a command that reproduces it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from typer.testing import Result

from tests.cli.conftest import toy
from tests.reports.test_markdown import cells
from wqscore.ranking.ranking import Ranking, rank_alone
from wqscore.reports import card
from wqscore.scoring.model_score import ModelScore

Invoke = Callable[..., Result]
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def command_in(tokens: list[Token]) -> list[str]:
    (fence,) = [token for token in tokens if token.type == "fence"]
    assert fence.info == "console"
    assert fence.content.startswith("$ wqscore card ")
    return shlex.split(fence.content)[2:]


def test_its_command_gives_it_again(invoke: Invoke, tmp_path: Path) -> None:
    toy(tmp_path / "it's a `model`")
    options = ["--seed", "3", "--gof", "20", "--preset", "ww-0.7"]
    done = invoke("card", "it's a `model`", "-q", *options, SOURCE_DATE_EPOCH="0")
    assert done.exit_code == 0, done.output
    again = invoke(*command_in(PARSER.parse(done.stdout)), "-q", SOURCE_DATE_EPOCH="0")
    assert again.stdout == done.stdout
    assert "on 1970-01-01." in done.stdout


def test_a_section_for_each_model_and_a_line_for_what_failed(invoke: Invoke, tmp_path: Path) -> None:
    toy(tmp_path / "b", seed=1)
    toy(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    done = invoke("card", "b", "empty", "a", "-q")
    assert done.exit_code == 3
    assert "wqscore: empty: no weights" in done.stderr
    tokens = PARSER.parse(done.stdout)
    headings = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings == ["The weights of b", "The weights of a"]


@pytest.mark.parametrize("layers", [4, 8])
def test_the_numbers_are_those_of_numpy(invoke: Invoke, tmp_path: Path, layers: int) -> None:
    from safetensors.numpy import load_file

    toy(tmp_path / "model", layers=layers)
    tensors = load_file(tmp_path / "model" / "model.safetensors").values()
    norms = [np.log10(np.linalg.norm(tensor.astype("f8")) ** 2) for tensor in tensors]
    text = cells(PARSER.parse(invoke("card", "model", "-q").stdout))
    row = text.index("log_norm")
    assert text[row + 1 : row + 5][0] == f"{np.median(norms):.4g}"
    if layers < 6:
        assert text[row + 2] == "too few matrices"
    else:
        low, high = map(float, text[row + 2].split(" to "))
        assert min(norms) - 1e-3 <= low <= float(text[row + 1]) <= high <= max(norms) + 1e-3
    assert text[row + 3 : row + 5] == [f"{np.mean(norms):.4g}", str(layers)]
    assert any(line.startswith(f"{layers} of {layers} matrices fitted, 100.0%") for line in text)


@pytest.mark.parametrize("name", ["#", "a #", "=1+1|`x`", "- [x](http://a.b)", "1. one", "<b>bold</b>", "'`'```"])
def test_a_hostile_name_is_text(invoke: Invoke, tmp_path: Path, name: str) -> None:
    folder = name.replace("/", "∕")
    toy(tmp_path / folder, layers=1, **{f"{name}.weight": np.zeros((64, 64), "f4")})
    done = invoke("card", f"./{folder}", "-q")
    assert done.exit_code == 0, done.output
    tokens = PARSER.parse(done.stdout)
    text = cells(tokens)
    assert text[0] == f"The weights of ./{folder}"
    assert f"{name}.weight" in text
    assert command_in(tokens)[-1] == f"./{folder}"


def test_a_model_is_ranked_once_for_its_section(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy(tmp_path / "a")
    ranked: list[ModelScore] = []

    def alone(score: ModelScore) -> Ranking:
        ranked.append(score)
        return rank_alone(score)

    monkeypatch.setattr(card, "rank_alone", alone)
    assert invoke("card", "a", "-q").exit_code == 0
    assert len(ranked) == 1
