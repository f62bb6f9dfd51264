"""All pairs of models compared, beside the same numbers computed pair by pair from the weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from tests.sketches.portraits import portrait
from wqscore.sketches import alignment, medians
from wqscore.sketches import compare as module
from wqscore.sketches import portrait as portraits
from wqscore.sketches.compare import Comparison, compare
from wqscore.sketches.sketch import unit_sketch

Weights = dict[str, np.ndarray]


def model(seed: int, count: int = 6, rows: int = 40, columns: int = 30) -> Weights:
    rng = np.random.default_rng(seed)
    return {
        f"layers.{at}.fc1.weight": (
            rng.standard_t(3, (rows, columns)) @ rng.standard_normal((columns, columns))
        ).astype("f4")
        for at in range(count)
    }


def near(base: Weights, share: float, seed: int = 50) -> Weights:
    rng = np.random.default_rng(seed)
    return {
        name: (value + share * value.std() * rng.standard_normal(value.shape)).astype("f4")
        for name, value in base.items()
    }


def wholes(found: Comparison) -> Mapping[str, np.ndarray]:
    names = ("cosine", "cosine_se", "n_matrices", "n_exact", "n_moved", "n_shapes", "distance", "directions")
    return {name: found.whole(getattr(found, name)) for name in names}


MODELS = [
    model(0),
    {**model(1), "head.weight": np.ones((3, 30), "f4")},
    near(model(0), 0.1),
    model(2, rows=44),
    {f"bert.{name}": value for name, value in near(model(0), 0.3).items()},
    {**near(model(1), 0.2), "head.weight": np.ones((3, 30), "f4")},
]


def logs(value: np.ndarray) -> np.ndarray:
    eigenvalues = np.linalg.svd(value.astype("f8"), compute_uv=False)[::-1] ** 2
    return np.log10(eigenvalues[eigenvalues.size // 2 :] / eigenvalues.sum())


@pytest.fixture(scope="module")
def found() -> Mapping[str, np.ndarray]:
    return wholes(compare([portrait(each) for each in MODELS]))


def test_every_pair_is_what_its_weights_say(found: Mapping[str, np.ndarray]) -> None:
    plain = [{name.removeprefix("bert."): value for name, value in each.items()} for each in MODELS]
    for a, one in enumerate(plain):
        for b, other in enumerate(plain):
            names = [name for name in one if name in other and one[name].shape == other[name].shape]
            assert found["n_matrices"][a, b] == len(names)
            if a == b or not names:
                continue
            cosines = [float(unit_sketch(one[name][None]) @ unit_sketch(other[name][None])) for name in names]
            assert found["cosine"][a, b] == pytest.approx(np.median(cosines), abs=1e-5)
            spread = np.sqrt(np.square(cosines - np.median(cosines)).sum() / (len(cosines) - 1))
            of_sketch = (1 - np.median(cosines) ** 2) / 128**0.5
            error = (np.pi / 2) ** 0.5 * max(spread, of_sketch) / len(cosines) ** 0.5
            assert found["cosine_se"][a, b] == pytest.approx(error, rel=1e-2)
            distances = [np.sqrt(np.square(logs(one[name]) - logs(other[name])).mean()) for name in names]
            assert found["distance"][a, b] == pytest.approx(np.median(distances), abs=1e-7)
            assert found["n_exact"][a, b] == sum((one[name] == other[name]).all() for name in names)


def test_the_true_cosine_is_within_the_error(found: Mapping[str, np.ndarray]) -> None:
    exact = np.median(
        [
            (MODELS[0][name] * MODELS[2][name]).sum()
            / np.linalg.norm(MODELS[0][name])
            / np.linalg.norm(MODELS[2][name])
            for name in MODELS[0]
        ]
    )
    assert abs(found["cosine"][0, 2] - exact) < 4 * found["cosine_se"][0, 2] + 1e-3


def test_all_is_symmetric_and_undefined_without_a_match(found: Mapping[str, np.ndarray]) -> None:
    for array in found.values():
        assert np.array_equal(array, array.T, equal_nan=True)
    assert np.isnan(found["cosine"][0, 3]) and found["n_shapes"][0, 3] == 0


def test_blocks_and_the_order_of_models_make_no_difference(
    found: Mapping[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK", 2)
    order = [4, 2, 5, 0, 3, 1]
    again = wholes(compare([portrait(MODELS[at]) for at in order]))
    for name, array in found.items():
        assert np.allclose(again[name], array[np.ix_(order, order)], atol=1e-6, equal_nan=True), name


def test_sketches_alone_give_the_same_cosines(found: Mapping[str, np.ndarray]) -> None:
    quick = compare([portrait(each, directions=False) for each in MODELS], spectra=False)
    assert np.allclose(quick.whole(quick.cosine), found["cosine"], equal_nan=True)


def test_layers_under_other_names_are_found_by_their_contents() -> None:
    base = model(0, 8)
    names = list(base)
    # Two layers cut out, the others numbered anew.
    kept = [names[at] for at in (0, 3, 4, 5, 6, 7)]
    cut = {names[at]: near(base, 0.1)[name] for at, name in enumerate(kept)}
    found = wholes(compare([portrait(base), portrait(cut)]))
    assert found["cosine"][0, 1] > 0.98
    assert found["n_moved"][0, 1] == 5
    assert found["n_matrices"][0, 1] == 6


def test_other_names_of_one_role_and_layer_are_matched() -> None:
    one = model(0)
    other = {name.replace("fc1", "dense_h_to_4h"): value for name, value in model(1).items()}
    same = {name.replace("fc1", "dense_h_to_4h"): value for name, value in near(one, 0.1).items()}
    found = wholes(compare([portrait(each) for each in (one, other, same)]))
    assert found["n_matrices"][0].tolist() == [6, 6, 6]
    assert abs(found["cosine"][0, 1]) < 0.15 < 0.95 < found["cosine"][0, 2]


def test_a_matrix_that_is_zero_or_not_finite_spoils_no_other() -> None:
    one, other = model(0), near(model(0), 0.1)
    other["layers.0.fc1.weight"] = np.zeros_like(other["layers.0.fc1.weight"])
    other["layers.1.fc1.weight"] = np.full_like(other["layers.1.fc1.weight"], np.nan)
    found = wholes(compare([portrait(one), portrait(other)]))
    assert found["cosine"][0, 1] > 0.9
    assert np.isfinite(found["distance"][0, 1])
    assert np.isfinite(found["directions"][0, 1])


def test_of_many_experts_those_of_one_layer_are_matched_by_contents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "_MANY", 100)
    monkeypatch.setattr(medians, "_LONGEST", 8)
    rng = np.random.default_rng(0)
    name = "model.layers.{}.block_sparse_moe.experts.{}.w1.weight".format
    places = [(layer, expert) for layer in range(3) for expert in range(8)]
    base = {name(*place): rng.standard_normal((9, 8)).astype("f4") for place in places}
    turned = {name(layer, (expert + 1) % 8): near(base, 0.1)[name(layer, expert)] for layer, expert in places}
    found = wholes(compare([portrait(each, directions=False) for each in (base, near(base, 0.1), turned)]))
    assert found["n_matrices"].min() == 24
    assert found["cosine"].min() > 0.98
    assert found["n_moved"][0].tolist() == [0, 0, 24]


def test_long_spectra_are_compared_at_as_many_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portraits, "_MOST", 7)
    one, other = model(0), near(model(0), 0.1)
    found = portrait(one)
    whole = logs(one["layers.0.fc1.weight"])
    assert np.allclose(found.logs[0][[0, -1]], whole[[0, -1]])
    assert found.logs[0].size == 7
    assert 0 < wholes(compare([found, portrait(other)]))["distance"][0, 1] < 0.1


def test_directions_agree_where_no_shape_does() -> None:
    base = model(0, rows=60)
    narrow = {name: value[:45] for name, value in base.items()}
    found = wholes(compare([portrait(base), portrait(narrow), portrait(model(3, rows=45))]))
    assert found["n_matrices"][0, 1] == 0
    assert found["directions"][0, 1] > 0.6 > 0.4 > found["directions"][0, 2]
