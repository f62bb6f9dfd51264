"""The conclusion of rankings of every kind: its sentence, word for word, and the same sentence in every format."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import wqscore
from tests.examples import examples
from tests.ranking.valued_models import model, named
from wqscore.metrics.metric import ModelValue
from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.ranking.short_names import short_names
from wqscore.refs.reference import ModelRef
from wqscore.results import render
from wqscore.scoring.model_score import Failure, ModelScore

SPREAD = np.random.default_rng(0).normal(0, 0.5, 40)
CHOOSE = "Choose by something else: validation loss, size, licence."


def scored(name: str, mean: float, family: str = "bert", parameters: int = 10, metric: str = "alpha") -> ModelScore:
    """A model whose 40 matrices have the same spread about their mean."""
    found = model(named(SPREAD - np.median(SPREAD) + mean), metric=metric)
    return replace(found, ref=ModelRef(f"runs/{name}", "folder"), declared_family=family, parameters=parameters)


def ranked(
    *models: ModelScore, by: str = "alpha", failures: tuple[Failure, ...] = (), across: bool = False
) -> Ranking:
    metrics = models[0].metrics if models else (by,)
    return rank_models(models, by, metrics=metrics, failures=failures, across_families=across)


def low_coverage(score: ModelScore) -> ModelScore:
    return replace(score, summary=replace(score.summary, coverage=0.41))


def with_value(score: ModelScore, value: float) -> ModelScore:
    """A model with a metric of the whole."""
    values = {"log_path_norm": ModelValue(value, 40, "")}
    return replace(score, metrics=("log_path_norm",), summary=replace(score.summary, values=values))


GONE = Failure(ModelRef("gone", "folder", missing="no such folder"), "gone: no such folder")
ENDS = r"\(\d\.\d\d to \d\.\d\d\)"
CASES = {
    "clear, of two": (
        ranked(scored("a", 3.0), scored("c", 2.3)),
        rf"c has the lower alpha, 2\.30 {ENDS}, clearly below a's 3\.00 {ENDS}\.",
    ),
    "clear": (
        ranked(scored("a", 3.0), scored("b", 3.2), scored("c", 2.3), scored("d", 3.2)),
        rf"c has the lowest alpha, 2\.30 {ENDS}, clearly below the other 3 models of family bert\.",
    ),
    "clear, and too low": (
        ranked(scored("a", 3.0), scored("c", 1.6)),
        rf"c has the lower alpha, 1\.60 {ENDS}, clearly below a's 3\.00 {ENDS}\. "
        r"That is outside the range which is read as quality: see the warning\.",
    ),
    "clear, higher is better": (
        ranked(
            scored("a", 3.0, metric="rand_distance"), scored("b", 9.0, metric="rand_distance"), by="rand_distance"
        ),
        rf"b has the higher rand_distance, 9\.00 {ENDS}, clearly above a's 3\.00 {ENDS}\.",
    ),
    "clear, by size": (
        ranked(scored("large", 2.3, parameters=300), scored("small", 3.0, parameters=100)),
        rf"large has the lower alpha, 2\.30 {ENDS}, clearly below small's 3\.00 {ENDS}\. "
        r"Size alone gives the same order\.",
    ),
    "tie, all": (
        ranked(scored("a", 2.94), scored("b", 2.94), scored("c", 2.94)),
        rf"No clear winner: the 3 models of family bert can't be told apart \(alpha 2\.94\)\. {CHOOSE}",
    ),
    "tie, of two": (
        ranked(scored("a", 2.94), scored("b", 2.94)),
        rf"No clear winner: a and b can't be told apart \(alpha 2\.94\)\. {CHOOSE}",
    ),
    "tie, some": (
        ranked(scored("a", 2.31), scored("b", 3.5), scored("c", 2.31), scored("d", 3.5)),
        r"No clear winner: 2 of the 4 models of family bert are tied for first, a and c \(alpha 2\.31 and 2\.31\)\. "
        "Choose between them by something else: validation loss, size, licence.",
    ),
    "alone": (
        ranked(scored("a", 3.46)),
        rf"runs/a is alone in its family: there is nothing to compare it with\. Its alpha is 3\.46 {ENDS}\.",
    ),
    "families": (
        ranked(scored("a", 3.0), scored("c", 2.3), scored("x", 5.0, "gpt")),
        r"3 models of 2 families: models of different families can't be compared\.",
    ),
    "across, none shares a family": (
        ranked(scored("a", 3.0), scored("x", 2.31, "gpt")),
        r"x has the lowest alpha of 2 models of 2 families, 2\.31\. Alpha is not known to compare families: "
        "don't choose by this alone.",
    ),
    "across, asked for": (
        ranked(scored("a", 3.0), scored("b", 3.2), scored("x", 2.31, "gpt"), across=True),
        r"x has the lowest alpha of 3 models of 2 families, 2\.31\. Alpha is not known to compare families: "
        "don't choose by this alone.",
    ),
    "order": (
        ranked(scored("a", 3.0, metric="xmin"), scored("b", 4.0, metric="xmin"), by="xmin"),
        "Ordered by xmin, which makes no claim about quality.",
    ),
    "order, from a base": (
        ranked(
            *(
                replace(scored(name, mean, metric="fro_dist"), base="./init")
                for name, mean in (("a", 9.0), ("c", 4.0))
            ),
            by="fro_dist",
        ),
        r"Ordered by distance from \./init: c moved least \(fro_dist 161\.4\)\.",
    ),
    "no-interval": (
        ranked(with_value(scored("a", 3.0), 4.0), with_value(scored("c", 3.0), 3.2), by="log_path_norm"),
        r"c has the lowest log_path_norm, 3\.2\. A metric of the whole model has no interval, so a tie can't "
        r"be ruled out\.",
    ),
    "unranked": (
        ranked(low_coverage(scored("a", 3.0)), failures=(GONE,)),
        r"No model can be ranked: runs/a: only 41% of its weights have a fit, less than 50%\.",
    ),
    "failed": (ranked(failures=(GONE,)), "No model could be scored: see the reasons above."),
    "clear, others left out": (
        ranked(scored("a", 3.0), scored("c", 2.3), low_coverage(scored("d", 9.0)), failures=(GONE,)),
        rf"c has the lower alpha, 2\.30 {ENDS}, clearly below a's 3\.00 {ENDS}\. "
        r"1 model was not ranked \(d: only 41% of its weights have a fit, less than 50%\) and 1 could not be scored "
        r"\(gone: no such folder\)\.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_sentence(case: str) -> None:
    ranking, sentence = CASES[case]
    found = ranking.conclusion
    assert re.fullmatch(sentence, found.text), found.text
    assert found.kind == case.split(",")[0]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Ranking:
    """Two models of one architecture and one of another, from files, and one that is missing."""
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("models")
    for name, layers in (("a", 3), ("b", 3), ("<x>", 5)):
        (folder / name).mkdir()
        mixed = rng.standard_normal((layers, 64, 64))
        weights = {f"h.{i}.fc1.weight": (rng.standard_t(3, (96, 64)) @ mixed[i]).astype("f4") for i in range(layers)}
        save_file(weights, folder / name / "model.safetensors")
    return wqscore.rank([*sorted(folder.iterdir()), folder / "gone"], bootstrap=0, gof=0)


def test_every_format_has_the_same_sentences(real: Ranking) -> None:
    lines = real.conclusion.lines
    parts = (real.conclusion, *real.conclusion.families)
    assert sorted(lines) == sorted(line for part in parts for line in (part.text, *part.odds))
    assert any(line.startswith("Odds: ") for line in lines)
    assert "could not be scored (no such folder or file: " in lines[0]
    markdown = re.sub(r"\\(.)", r"\1", real.to_markdown())
    assert markdown.startswith("\n\n".join(lines))
    document = json.loads(real.to_json())["conclusion"]
    told = (document, *document.get("families", []))
    assert sorted(line for each in told for line in (each["text"], *each.get("odds", []))) == sorted(lines)
    shown = [html.unescape(re.sub("<[^>]*>", "", text)) for text in (real.to_html(), real._repr_html_())]
    terminal = str(render(real, "table"))
    assert terminal.endswith("\n\n" + "\n".join(lines) + "\n")
    for line in lines:
        assert all(line in text for text in shown)


@pytest.mark.parametrize("case", CASES)
def test_no_winner_where_models_cant_be_compared(case: str) -> None:
    ranking = CASES[case][0]
    found = ranking.conclusion
    if found.kind in ("families", "unranked", "across", "order", "failed"):
        assert not found.best
    if found.kind == "tie":
        assert len(found.best) > 1
    if found.kind == "clear":
        assert len(found.best) == 1


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(st.tuples(st.floats(2, 6), st.sampled_from(["bert", "gpt", ""])), min_size=1, max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_it_never_names_a_winner_among_ties(models: list[tuple[float, str]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = []
    for place, (mean, family) in enumerate(models):
        score = model(named(rng.normal(mean, 0.8, 20)), metric="alpha")
        scores.append(replace(score, ref=ModelRef(f"m{place}", "folder"), declared_family=family))
    ranking = ranked(*scores)
    found = ranking.conclusion
    for answer in (found, *found.families):
        asked = [m for m in ranking.models if m.family == answer.family or not found.families]
        leaders = {m.ref.label for m in asked if m.best == 1}
        if answer.kind == "clear":
            assert answer.best == tuple(leaders)
            assert "No clear winner" not in answer.text
        elif answer.kind == "tie":
            assert set(answer.best) == leaders
            assert answer.text.startswith("No clear winner")


def test_names_lose_the_folders_they_share() -> None:
    folders = [ModelRef(name, "folder") for name in ("out/run/a", "out/run/b/c")]
    assert short_names(folders) == ["a", "b/c"]
    assert short_names(folders[:1]) == ["out/run/a"]
    assert short_names([ModelRef("out/a", "folder"), ModelRef("out/a/b", "folder")]) == ["a", "a/b"]
    hub = ModelRef("out/run/x", "hub", repo="out/run")
    assert short_names([*folders, hub]) == ["a", "b/c", "out/run"]
