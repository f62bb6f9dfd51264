"""Correlations of published tables; groups, sizes, claims and choices of columns."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from tests.studies.published import LEADERBOARD, TAXONOMY, TORCHVISION, published
from wqscore.errors import UsageError
from wqscore.studies.correlation.correlate import Correlations, correlate
from wqscore.studies.correlation.notes import correlation_notes
from wqscore.studies.correlation.row import CorrelationRow
from wqscore.studies.known.score_table import Joined, ScoreTable, single_table

NORMS = ("log_norm", "log_spectral_norm", "alpha_weighted", "log_alpha_norm")


@pytest.fixture(scope="module")
def torchvision() -> Correlations:
    return correlate(published(TORCHVISION), ("alpha", *NORMS), "top1_error", "series", better="lower")


@pytest.fixture(scope="module")
def taxonomy() -> Correlations:
    return correlate(
        published(TAXONOMY), ("l2_distance", "cka_last"), "test_acc", "width", ("width", "batch_size"), seed=1
    )


def table(**columns: list[object]) -> Joined:
    rows = zip(*columns.values(), strict=True)
    return single_table(ScoreTable("t.csv", tuple(columns), tuple(tuple(map(str, row)) for row in rows)), ["model"])


def row(found: Correlations, x: str, group: str | None = None) -> CorrelationRow:
    (only,) = [row for row in found.rows if (row.x, row.group) == (x, group)]
    return only


def tau(found: Correlations, x: str, group: str | None = None) -> float:
    correlation = row(found, x, group).correlation
    assert correlation is not None
    return correlation.tau.value


def rho(found: Correlations, x: str, group: str | None = None) -> float:
    correlation = row(found, x, group).correlation
    assert correlation is not None
    return correlation.rho.value


def test_the_published_kendall_figures_of_torchvision(torchvision: Correlations) -> None:
    """Martin, Peng & Mahoney 2021, Table 1, there with accuracy and so negative."""
    assert [round(tau(torchvision, x, "vgg"), 2) for x in NORMS] == [0.79, 0.93, 0.93, 0.93]
    for series, n in (("resnet", 5), ("densenet", 4)):
        assert [tau(torchvision, x, series) for x in NORMS] == [1.0] * 4
        assert {row(torchvision, x, series).n for x in NORMS} == {n}


def test_mean_alpha_changes_sign_between_series(torchvision: Correlations) -> None:
    figures = [round(tau(torchvision, "alpha", series), 2) for series in (None, "vgg", "resnet", "densenet")]
    assert figures == [-0.43, -0.86, 0.6, 0.0]
    (flip,) = torchvision.flips
    assert (flip.pooled.x, flip.pooled.n, flip.groups) == ("alpha", 17, 2)
    assert [(row.group, row.n) for row in flip.flipped] == [("resnet", 5)]


def test_what_is_claimed_of_alpha_is_wrong_in_vgg_and_unclear_of_five_resnets(torchvision: Correlations) -> None:
    told = {group: row(torchvision, "alpha", group).as_claimed for group in (None, "vgg", "resnet", "densenet")}
    assert told == {None: "no", "vgg": "no", "resnet": "unclear", "densenet": "unclear"}
    assert row(torchvision, "log_norm", "resnet").as_claimed == "yes"


def test_weight_distance_is_reversed_within_every_width(taxonomy: Correlations) -> None:
    assert round(rho(taxonomy, "l2_distance"), 2) == 0.42
    (flip,) = taxonomy.flips
    assert flip.pooled.x == "l2_distance"
    assert len(flip.flipped) == flip.groups == 13
    within = [rho(taxonomy, "l2_distance", row.group) for row in flip.flipped]
    assert max(within) < 0
    assert round(float(np.mean(within)), 2) == -0.36


def test_the_same_along_axes(taxonomy: Correlations) -> None:
    """Within a width only the batch size varies: the mean over widths is that axis's."""
    distance, cka = taxonomy.granulated
    assert [axis.axis for axis in distance.axes] == ["width", "batch_size"]
    widths = [tau(taxonomy, "l2_distance", row.group) for row in taxonomy.flips[0].flipped]
    assert distance.axes[1].tau == pytest.approx(np.mean(widths))
    assert distance.axes[0].tau is not None
    assert distance.axes[0].tau > 0.5
    assert {(axis.cells, axis.n) for axis in (*distance.axes, *cka.axes)} == {(13, 169)}
    assert cka.tau is not None
    assert cka.tau > 0.5


def test_alpha_says_nothing_of_mmlu_and_eleven_models_could_hardly_tell() -> None:
    found = correlate(published(LEADERBOARD), y="MMLU_5shot")
    pooled = row(found, "alpha")
    assert pooled.correlation is not None
    assert (round(pooled.correlation.rho.value, 2), pooled.n) == (0.02, 11)
    assert pooled.correlation.rho.p > 0.9
    assert pooled.correlation.rho.interval == pytest.approx((-0.59, 0.61), abs=0.01)
    assert pooled.as_claimed == "unclear"
    assert (found.tried, found.group) == (("alpha",), "family")
    assert {(r.n < 3, r.correlation is None) for r in found.rows} == {(True, True), (False, False)}
    assert row(found, "alpha", "OPT").reason == "fewer than 3 models"


def test_the_measures_of_a_landscape_are_tested_as_their_papers_claim() -> None:
    sharper = [1.0, 2.0, 3.0, 4.0]
    columns = {
        "hessian_top": sharper,
        "margin_median": sharper,
        "psi": sharper,
        "alpha": [""] * 4,
        "n_params": [1, 1, 2, 2],
    }
    found = correlate(table(**columns, loss=sharper, test_loss=[0.1, 0.2, 0.3, 0.4]), y="test_loss", better="lower")
    assert (found.tried, found.params) == (("hessian_top", "margin_median", "psi"), "n_params")
    assert [row(found, name).expected for name in found.tried] == [1, -1, -1]


def test_a_metric_that_only_follows_size_is_gone_given_size() -> None:
    """Both follow the parameters and nothing else, so given them their order is chance."""
    rng = np.random.default_rng(0)
    params = np.exp(rng.uniform(10, 20, 100)).round()
    noise = rng.normal(0, 1, (2, 100))
    found = correlate(
        table(alpha=list(-np.log(params) + noise[0]), y=list(np.log(params) + noise[1]), params=list(params)), y="y"
    )
    assert found.params == "params"
    assert rho(found, "alpha") < -0.8
    partial = row(found, "alpha").partial
    assert partial is not None
    assert partial.n == 100
    assert partial.rho == pytest.approx(0, abs=0.2)
    baseline = row(found, "params")
    assert (baseline.partial, baseline.expected, baseline.as_claimed) == (None, None, None)
    assert rho(found, "params") > 0.8
    assert [r.x for r in found.tested] == ["alpha"]


def test_the_parameters_of_a_landscape_are_a_baseline_too() -> None:
    columns = {"alpha": [3, 1, 2, 5, 4], "loss": [1, 2, 4, 3, 5]}
    sizes = [10, 50, 20, 40, 30]
    found = correlate(table(**columns, n_params=sizes))
    assert (found.params, found.y) == ("n_params", "loss")
    assert tau(found, "n_params") == pytest.approx(kendalltau(sizes, columns["loss"]).statistic)
    assert correlate(table(**columns, n_params=sizes, params=[1, 2, 3, 5, 4])).params == "params"


def test_parameters_are_ranked_so_their_logarithm_changes_nothing() -> None:
    columns = {"alpha": [3, 1, 2, 5, 4], "y": [1, 2, 4, 3, 5]}
    plain = correlate(table(**columns, params=[1e3, 1e9, 1e5, 1e6, 2e6]), y="y")
    logs = correlate(table(**columns, params=[3, 9, 5, 6, 6.3]), y="y")
    assert row(plain, "alpha").partial == row(logs, "alpha").partial


def test_partial_figures_have_their_own_n() -> None:
    found = correlate(table(alpha=[3, 1, 2, 5, 4], y=[1, 2, 4, 3, 5], params=[1, "", 5, 6, 2]), y="y")
    partial = row(found, "alpha").partial
    assert (row(found, "alpha").n, partial and partial.n) == (5, 4)


def test_missing_numbers_lower_n_of_their_metric_alone() -> None:
    found = correlate(
        table(alpha=[1, 2, "", 4], D=[1, 2, 3, 4], stable_rank=[5, 5, 5, 5], model=list("abcd"), y=[1, 2, 3, 4])
    )
    assert found.y == "y"
    assert [(r.x, r.n, r.reason) for r in found.rows] == [
        ("alpha", 3, ""),
        ("D", 4, ""),
        ("stable_rank", 4, "one is the same for all"),
    ]


@pytest.mark.parametrize(
    ("x", "better", "expected"),
    [
        ("alpha", "higher", -1),
        ("alpha", "lower", 1),
        ("alpha_param_mean", "higher", -1),
        ("alpha_mean", "higher", -1),
        ("latency", "higher", None),
    ],
)
def test_the_expected_sign_is_the_registrys(x: str, better: str, expected: int | None) -> None:
    found = correlate(table(**{x: [1, 2, 3], "y": [1, 2, 3]}), (x,), "y", better=better)  # type: ignore[arg-type]
    assert row(found, x).expected == expected


def test_models_without_a_group_are_in_none() -> None:
    found = correlate(table(alpha=range(7), y=range(7), family=["a", "a", "a", "", "b", "b", "b"]), y="y")  # type: ignore[arg-type]
    assert [(r.group, r.n) for r in found.rows] == [(None, 7), ("a", 3), ("b", 3)]
    assert found.ungrouped == 1


def test_the_seed_decides_every_figure_and_the_order_of_metrics_none() -> None:
    joined = published(TORCHVISION)
    first, again = (correlate(joined, NORMS, "top1_error", "series", seed=5) for _ in range(2))
    assert first.rows == again.rows
    other = correlate(joined, NORMS[::-1], "top1_error", "series", seed=5)
    assert {(r.x, r.group): r for r in first.rows} == {(r.x, r.group): r for r in other.rows}


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"a": [1, 2, 3], "y": [1, 2, 3]},
            {"y": "y"},
            "no column is a metric that claims to measure quality: name the columns to test with --x",
        ),
        (
            {"alpha": [1, 2], "y": [1, 2], "z": [1, 2]},
            {},
            "name the column to compare the metrics with by --y, from y, z",
        ),
        ({"alpha": [1, 2], "name": ["a", "b"]}, {}, "by --y, from alpha, name"),
        ({"alpha": [1, 2], "y": [1, 2]}, {"x": ("alhpa",)}, "no column 'alhpa'; it has alpha, y"),
        ({"alpha": [1, 2], "y": ["good", "bad"]}, {"y": "y"}, "column 'y' is not numbers: 'good' in row 1"),
        ({"alpha": [1, 2], "y": [1, 2]}, {"y": "y", "group": "series"}, "no column 'series'"),
        ({"alpha": [1, 2], "y": [1, 2]}, {"y": "y", "axes": ("alpha",)}, "needs two or more axes, not only 'alpha'"),
        ({"alpha": [1, 2], "y": [1, 2]}, {}, "models to compare: 2, fewer than the 3 needed"),
        ({"alpha": [1] * 2001, "y": [1] * 2001}, {}, "2,001 rows, more than the 2,000 models"),
        ({"alpha": [1, 2], "y": [1, 2], "params": [0, 5]}, {"y": "y"}, "'params': no model has 0 parameters"),
    ],
)
def test_what_does_not_fit_is_one_line(
    columns: dict[str, list[object]], options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        correlate(table(**columns), **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_depth_is_a_baseline_beside_the_parameters() -> None:
    """Depth follows accuracy exactly, and given the parameters still does; the metric is constant in two of three."""
    joined = table(
        model=list("abcdef"),
        alpha=[2, 3, 2, 4, 3, 5],
        accuracy=[1, 2, 3, 4, 5, 6],
        params=[3, 1, 2, 5, 6, 4],
        depth=[6, 8, 12, 24, 32, 40],
    )
    found = correlate(joined)
    assert (found.y, found.baselines, found.tried) == ("accuracy", ("params", "depth"), ("alpha",))
    assert [each.x for each in found.rows] == ["params", "depth", "alpha"]
    assert tau(found, "depth") == 1.0
    assert row(found, "params").partial is None
    assert row(found, "depth").partial is not None
    assert [each.x for each in found.tested] == ["alpha"]
    assert row(found, "depth").expected is None
    told = "params and depth are the baselines: a metric that does no better adds nothing beyond model size"
    assert told in correlation_notes(found)


def test_without_parameters_depth_is_a_baseline_and_the_lack_is_said() -> None:
    columns: dict[str, list[object]] = {"model": list("abcd"), "alpha": [1, 2, 4, 3], "accuracy": [1, 2, 3, 4]}
    found = correlate(table(**columns, depth=[1, 2, "", 4]))
    assert (found.baselines, row(found, "depth").n) == (("depth",), 3)
    sizes = [note for note in correlation_notes(found) if "size" in note]
    assert len(sizes) == 2
    assert sizes[0].startswith("the number of parameters is not in the tables")
    assert sizes[1].startswith("depth is the baseline: ")


@pytest.mark.parametrize(
    ("depth", "options"),
    [
        (["deep", "deep", "flat", "flat"], {}),
        ([1, 2, 3, 4], {"y": "depth"}),
        ([1, 2, 3, 4], {"x": ("depth",), "y": "accuracy"}),
        ([1, 1, 2, 2], {"group": "depth"}),
        (["", "", "", ""], {}),
    ],
)
def test_depth_that_is_something_else_is_no_baseline(depth: list[object], options: dict[str, object]) -> None:
    columns: dict[str, list[object]] = {"model": list("abcd"), "alpha": [1, 2, 4, 3], "accuracy": [1, 2, 3, 4]}
    assert correlate(table(**columns, depth=depth), **options).baselines == ()  # type: ignore[arg-type]
