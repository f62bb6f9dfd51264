"""`kin` on models of known kinship: every verdict, and what is not read again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from tests.saved_models import saved
from tests.studies.kin.made import KINDS, Tensors, changed, family
from wqscore.errors import UsageError
from wqscore.studies.kin.kin import Kin, KinPair, kin

pytestmark = pytest.mark.usefixtures("settled")

FAMILIES = {seed: family(seed, layers=1) for seed in range(12)}
BASE = family(0)["base"]


def pair(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> KinPair:
    return kin({"one": one, "other": other}, jobs=1).pairs[0]


@pytest.fixture(scope="module")
def twelve() -> Kin:
    """Twelve independent models with three fine-tunes, a merge, a pruned and a 4-bit version of each."""
    models = {f"{seed}/{kind}": model for seed, made in FAMILIES.items() for kind, model in made.items()}
    return kin(models, jobs=1)


def test_precision_and_recall_are_1_by_a_wide_margin(twelve: Kin) -> None:
    assert len(twelve.models) == 84
    assert len(twelve.pairs) == 84 * 83 / 2
    true = [twelve.label(each.a).split("/")[0] == twelve.label(each.b).split("/")[0] for each in twelve.pairs]
    assert [each.verdict for each in twelve.pairs] == ["related" if kin else "unrelated" for kin in true]
    related = min(each.cosine for each, kin in zip(twelve.pairs, true, strict=True) if kin)
    others = max(abs(each.cosine) for each, kin in zip(twelve.pairs, true, strict=True) if not kin)
    assert related > 0.9
    assert others < 0.15
    assert all(each.confidence > 0.99 for each in twelve.pairs)


def test_each_family_is_a_tree_from_its_base(twelve: Kin) -> None:
    assert len(twelve.families) == 12
    for link in twelve.tree:
        seed, kind = twelve.label(link.model).split("/")
        parent = twelve.label(link.parent).split("/")
        assert parent[0] == seed
        assert (link.pair is None) == (kind == "base")
        if kind in ("tuned-1", "tuned-2", "tuned-3", "pruned", "4bit"):
            assert parent[1] == "base"
        if kind == "merge":
            assert parent[1] == "tuned-1"


def test_each_merge_is_found_with_its_parents_and_weights(twelve: Kin) -> None:
    assert [twelve.label(merge.model) for merge in twelve.merges] == [f"{seed}/merge" for seed in range(12)]
    for merge in twelve.merges:
        assert [twelve.label(parent).split("/")[1] for parent in merge.parents] == ["tuned-1", "tuned-2"]
        assert merge.weight == pytest.approx(0.4, abs=1e-4)


def test_each_pruned_and_each_4_bit_version_is_told_and_no_other(twelve: Kin) -> None:
    for model in twelve.models:
        kind = model.ref.label.split("/")[1]
        assert model.traits.is_pruned == (kind == "pruned")
        assert model.traits.is_quantised == (kind == "4bit")
    reasons = {
        each.reason for each in twelve.pairs if {twelve.label(each.a), twelve.label(each.b)} == {"3/base", "3/pruned"}
    }
    assert reasons == {"cosine far above chance; b: 50% of its weights are 0"}


def test_a_copy_under_other_names_and_in_another_file_is_the_same(tmp_path: Path) -> None:
    copy = {name.removeprefix("bert."): value for name, value in BASE.items()}
    found = kin([saved(tmp_path / "a", BASE), saved(tmp_path / "b", copy)], jobs=1)
    assert found.pairs[0].verdict == "same"
    assert found.pairs[0].n_exact == found.pairs[0].n_matrices == found.models[0].n_matrices
    assert found.pairs[0].cosine == pytest.approx(1)
    assert found.pairs[0].spectrum_distance == 0


def test_a_copy_with_one_more_matrix_is_related_and_says_what_is_equal() -> None:
    found = pair(BASE, {**BASE, "classifier.weight": np.random.default_rng(0).standard_normal((5, 64)).astype("f4")})
    assert (found.verdict, found.reason) == ("related", "every matrix that both have is equal")


def test_a_copy_in_fewer_bits_is_related() -> None:
    found = pair(BASE, {name: value.astype("f2") for name, value in BASE.items()})
    assert found.verdict == "related"
    assert found.cosine > 0.9999


def permuted(base: Tensors) -> Tensors:
    """The same function with the residual stream and the neurons of every layer in another order."""
    rng = np.random.default_rng(0)
    stream = rng.permutation(64)
    out = dict(base)
    for name, value in base.items():
        if "intermediate" in name:
            neurons = rng.permutation(128)
            out[name] = value[neurons][:, stream]
            down = name.replace("intermediate.dense", "output.dense")
            out[down] = base[down][stream][:, neurons]
        elif "attention.output.dense" in name:
            out[name] = value[stream][:, rng.permutation(64)]
        elif value.ndim == 2 and ".output.dense" not in name:
            out[name] = value[:, stream]
    return out


def rotated(base: Tensors) -> Tensors:
    """Every matrix times a random rotation, rounded to float32."""
    rng = np.random.default_rng(0)
    return {
        name: (value.astype("f8") @ np.linalg.qr(rng.standard_normal((value.shape[1],) * 2))[0]).astype("f4")
        if value.ndim == 2
        else value
        for name, value in base.items()
    }


@pytest.mark.parametrize("change", [permuted, rotated])
def test_permuted_neurons_and_rotated_layers_are_undecided(change: Callable[[Tensors], Tensors]) -> None:
    found = pair(BASE, change(BASE))
    assert found.spectrum_distance <= 1e-6
    assert found.cosine < 0.5
    assert found.verdict == "undecided"
    assert found.reason == "equal spectra, other weights: neurons permuted or layers rotated"


def test_models_of_other_shapes_show_no_sign_of_kinship() -> None:
    wide = {name.replace("bert.", ""): np.tile(value, 2)[:, 3:] for name, value in BASE.items() if value.ndim == 2}
    rng = np.random.default_rng(3)
    found = kin({"one": BASE, "wide": {name: rng.permuted(value) for name, value in wide.items()}}, jobs=1)
    assert (found.pairs[0].verdict, found.pairs[0].reason) == ("unrelated", "no matrices of one shape")
    assert np.isnan(found.pairs[0].cosine)
    assert "no sign of kinship" in found.to_markdown()


def test_few_matrices_of_one_shape_leave_it_open() -> None:
    two = {name: value for name, value in BASE.items() if "layer.0.attention.self" in name and "value" not in name}
    found = pair(two, BASE)
    assert (found.verdict, found.reason) == ("undecided", "only 2 matrices of one name and shape")


def test_a_tied_copy_counts_once() -> None:
    tied = {**BASE, "cls.predictions.decoder.weight": BASE["bert.embeddings.word_embeddings.weight"].copy()}
    found = kin({"one": BASE, "tied": tied}, jobs=1)
    assert found.models[0].n_matrices == found.models[1].n_matrices
    assert found.pairs[0].verdict == "same"


def test_embeddings_of_other_vocabularies_are_left_out() -> None:
    rng = np.random.default_rng(5)
    name = "bert.embeddings.word_embeddings.weight"
    other = {**changed(BASE, rng, 0.1), name: rng.standard_normal((300, 64)).astype("f4")}
    found = pair(BASE, other)
    assert found.verdict == "related"
    assert found.n_matrices == sum(value.ndim == 2 for value in BASE.values()) - 1


def experts(seed: int) -> Tensors:
    rng = np.random.default_rng(seed)
    shapes = {"w1": (48, 32), "w2": (32, 48), "w3": (48, 32)}
    return {
        f"model.layers.{layer}.block_sparse_moe.experts.{expert}.{part}.weight": rng.standard_normal(shape).astype(
            "f4"
        )
        for layer in range(2)
        for expert in range(4)
        for part, shape in shapes.items()
    }


def _expert(name: str, places: Mapping[int, int]) -> str:
    """The name of the same part of another expert."""
    return re.sub(r"experts\.(\d)", lambda found: f"experts.{places.get(int(found[1]), found[1])}", name)


def test_experts_in_another_order_are_found_by_their_contents() -> None:
    base = changed(experts(0), np.random.default_rng(1), 0.1)
    moved = {_expert(name, {0: 3, 3: 0}): value for name, value in base.items()}
    assert moved.keys() == base.keys()
    found = pair(experts(0), moved)
    assert found.verdict == "related"
    assert pair(experts(0), experts(1)).verdict == "unrelated"
    # All in another order, none has its like under its own name.
    turned = {_expert(name, {0: 1, 1: 2, 2: 3, 3: 0}): value for name, value in base.items()}
    assert turned.keys() == base.keys()
    found = pair(experts(0), turned)
    assert (found.verdict, found.reason) == ("related", "24 found under other names")
    assert found.cosine > 0.98


def test_adapters_are_compared_by_what_they_add(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = {f"layers.{at}.fc1.weight": rng.standard_normal((64, 48)).astype("f4") for at in range(3)}
    base = saved(tmp_path / "base", layers)
    factors = {at: (rng.standard_normal((4, 48)), rng.standard_normal((64, 4))) for at in range(3)}

    def adapter(name: str, noise: float) -> str:
        tensors = {
            f"base_model.model.layers.{at}.fc1.lora_{part}.weight": (
                value + noise * rng.standard_normal(value.shape)
            ).astype("f4")
            for at, pair in factors.items()
            for part, value in zip("AB", pair, strict=True)
        }
        (tmp_path / name).mkdir()
        save_file(tensors, tmp_path / name / "adapter_model.safetensors")
        config = {"peft_type": "LORA", "r": 4, "lora_alpha": 4, "target_modules": ["fc1"]}
        (tmp_path / name / "adapter_config.json").write_text(json.dumps(config))
        return str(tmp_path / name)

    one, like, other = adapter("one", 0), adapter("like", 0.1), adapter("other", 3)
    found = kin([one, like, other, f"{base}+{one}", base], jobs=1)
    verdicts = {(pair.a, pair.b): pair.verdict for pair in found.pairs}
    assert verdicts[0, 1] == "related"
    assert verdicts[0, 2] != "related"
    merged = {name: value + (factors[at][1] @ factors[at][0]) for at, (name, value) in enumerate(layers.items())}
    expected = [(merged[n] * v).sum() / np.linalg.norm(merged[n]) / np.linalg.norm(v) for n, v in layers.items()]
    assert found.pairs[-1].cosine == pytest.approx(np.median(expected), abs=0.15)


def test_long_training_is_undecided() -> None:
    found = pair(BASE, changed(BASE, np.random.default_rng(0), 2.0))
    assert 0.15 <= found.cosine <= 0.5
    assert found.verdict == "undecided"


@pytest.fixture
def five(tmp_path: Path) -> list[str]:
    return [saved(tmp_path / kind, model) for kind, model in list(FAMILIES[0].items())[:5]]


def test_after_kin_nothing_is_read_or_solved_again(five: list[str], tmp_path: Path, counts: dict[str, int]) -> None:
    store = tmp_path / "store.sqlite"
    first = kin(five, store=store, jobs=1)
    assert counts["read"] == counts["solved"] == first.read == 5 * 8
    counts.update(read=0, solved=0)
    again = kin(five, store=store, jobs=1)
    assert counts == {"read": 0, "solved": 0}
    assert again.read == 0
    assert again.to_csv() == first.to_csv() == kin(five, jobs=1).to_csv()


def test_after_rank_nothing_is_read_or_solved(five: list[str], tmp_path: Path, counts: dict[str, int]) -> None:
    store = tmp_path / "store.sqlite"
    wqscore.rank(five, store=store, jobs=1, metrics="stable_rank", by="stable_rank", bootstrap=0, gof=0)
    counts.update(read=0, solved=0)
    found = kin(five, store=store, jobs=1)
    assert counts == {"read": 0, "solved": 0}
    without = kin(five, jobs=1)
    assert [each.verdict for each in found.pairs] == [each.verdict for each in without.pairs]
    assert [each.cosine for each in found.pairs] == [each.cosine for each in without.pairs]
    # Ranking solves for eigenvalues alone.
    assert all(np.isnan(each.directions) for each in found.pairs)


def test_after_kin_a_ranking_solves_no_spectrum(five: list[str], tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    kin(five, store=store, jobs=1)
    quick = {"metrics": "stable_rank", "by": "stable_rank", "bootstrap": 0, "gof": 0, "jobs": 1}
    assert wqscore.rank(five, store=store, **quick).to_csv() == wqscore.rank(five, **quick).to_csv()


def test_verify_reads_every_weight(five: list[str], tmp_path: Path, counts: dict[str, int]) -> None:
    store = tmp_path / "store.sqlite"
    kin(five, store=store, jobs=1)
    counts.update(read=0, solved=0)
    assert kin(five, store=store, jobs=1, verify=True).read == counts["read"] == 5 * 8
    assert counts["solved"] == 0


def test_a_model_that_fails_stops_no_other(tmp_path: Path) -> None:
    found = kin([saved(tmp_path / "a", BASE), str(tmp_path / "none"), saved(tmp_path / "b", BASE)], jobs=1)
    assert [each.verdict for each in found.pairs] == ["same"]
    assert len(found.failures) == 1
    assert "none" in found.failures[0].reason


def test_with_one_readable_model_there_is_nothing_to_compare(tmp_path: Path) -> None:
    found = kin([saved(tmp_path / "a", BASE), str(tmp_path / "none")], jobs=1)
    assert not found.pairs
    assert "nothing to compare" in found.to_markdown()


@pytest.mark.parametrize(
    ("models", "settings", "words"),
    [
        (["./a"], {}, "2 to 2,000 models, not 1"),
        (["./a", "./b"], {"base": "./c"}, "leave base"),
        (["./a", "./b"], {"layers": "0"}, "layers and roles out"),
        (["./a", "./b"], {"engine": "weightwatcher"}, "its own engine"),
        (["./a", "./b"], {"backend": "dask"}, "leave backend out"),
    ],
)
def test_what_makes_no_sense_is_refused(models: list[str], settings: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        kin(models, **settings)


def test_the_kinds_are_seven() -> None:
    assert len(KINDS) == 7
