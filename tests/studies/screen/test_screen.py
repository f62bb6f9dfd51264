"""`wqscore.screen`: planted modules are found, clean ones are not; banks, merged checkpoints, what can't be read."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import wqscore
from tests.oracles import Oracle
from tests.reports.html.parsed import Page
from tests.studies.screen.made import ALPHA, RANK, Factors, factors, planted, product, write
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import UsageError
from wqscore.studies.files import write_study
from wqscore.studies.screen.screen import Screening, screen
from wqscore.studies.screen.statistics import STATISTICS

torch, peft, transformers = Oracle("torch"), Oracle("peft"), Oracle("transformers")
SPIKED = "model.layers.4.self_attn.v_proj"


def document(*arguments: Any, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(screen(*arguments, **{"jobs": 1, **changes}).to_json())
    return found


def bank(folder: Path, count: int = 8, **changes: Any) -> Path:
    """The screening of adapters drawn from the law of the others."""
    names = [write(folder / f"trusted-{number}", factors(100 + number, **changes)) for number in range(count)]
    file = folder / "bank.json"
    file.write_text(screen(names, jobs=1).to_json())
    return file


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("odd") / "odd", planted(factors(1), SPIKED))


@pytest.fixture(scope="module")
def found(odd: str, tmp_path_factory: pytest.TempPathFactory) -> Screening:
    return screen([odd, str(tmp_path_factory.mktemp("none") / "gone")], jobs=1)


def test_every_module_has_the_statistics_of_its_product(odd: str) -> None:
    content = planted(factors(1), SPIKED)
    (adapter,) = document([odd])["adapters"]
    assert len(adapter["modules"]) == adapter["n_modules"] == 30
    for row in adapter["modules"]:
        delta = product(content[row["name"].removesuffix(".weight")])
        energy = np.linalg.svd(delta, compute_uv=False)[:RANK] ** 2
        p = energy / energy.sum()
        entries = delta - delta.mean()
        told = [row[name] for name in STATISTICS]
        assert told == pytest.approx(
            [
                *(np.linalg.norm(delta), p[0], -(p * np.log(p)).sum() / np.log(RANK), energy.sum() / energy[0]),
                (entries**4).mean() / (entries**2).mean() ** 2 - 3,
            ],
            rel=1e-6,
        )
        assert (row["rank"], row["rows"], row["columns"]) == (RANK, *delta.shape)


def test_z_scores_are_among_modules_of_one_role(odd: str) -> None:
    rows = document([odd])["adapters"][0]["modules"]
    for name in STATISTICS:
        values = np.array([row[name] for row in rows if row["role"] == "attention.v"])
        median = np.median(values)
        z = (values - median) / (1.4826 * np.median(np.abs(values - median)))
        np.testing.assert_allclose([row["z"][name] for row in rows if row["role"] == "attention.v"], z, rtol=1e-9)


def test_a_planted_spike_is_found_and_nothing_else(found: Screening) -> None:
    adapter = found.adapters[0]
    (module,) = adapter.outlying
    assert module.module.matrix.name == f"{SPIKED}.weight"
    assert {"energy_share", "entropy"} <= set(module.outlying)
    assert module.z["energy_share"] > 0 > module.z["entropy"]
    assert f"most: {SPIKED}.weight" in found.to_markdown().replace("\\_", "_")


@pytest.mark.parametrize("name", ["model.layers.0.self_attn.q_proj", "model.layers.9.mlp.down_proj"])
def test_it_is_found_wherever_it_is(tmp_path: Path, name: str) -> None:
    (adapter,) = screen(write(tmp_path / "a", planted(factors(3), name)), jobs=1).adapters
    assert [each.module.matrix.name for each in adapter.outlying] == [f"{name}.weight"]


def test_clean_adapters_hardly_have_an_outlier(tmp_path: Path) -> None:
    """Thirty of one law: at most two, where one in a hundred is expected of normal statistics."""
    names = [write(tmp_path / f"{seed}", factors(seed)) for seed in range(30)]
    assert sum(bool(adapter.outlying) for adapter in screen(names, jobs=1).adapters) <= 2


def test_an_adapter_spiked_everywhere_is_found_by_a_bank_alone(tmp_path: Path) -> None:
    content = factors(7)
    for name in content:
        content = planted(content, name, 4.0)
    model = write(tmp_path / "all", content)
    (alone,) = screen(model, jobs=1).adapters
    assert alone.outlying == ()
    (against,) = screen(model, bank=bank(tmp_path, 12), jobs=1).adapters
    assert len(against.outlying) > 15
    assert all(abs(role.bank_z["energy_share"]) > 8 for role in against.roles)


def test_a_bank_is_compared_by_name_shape_and_rank_without_the_adapter_itself(tmp_path: Path) -> None:
    file = bank(tmp_path, 7)
    own = document(str(tmp_path / "trusted-0"), bank=file)["adapters"][0]
    rows = json.loads(file.read_text())["adapters"]
    others = np.array([adapter["modules"][5]["entropy"] for adapter in rows[1:]])
    spread = 1.4826 * np.median(np.abs(others - np.median(others)))
    z = (own["modules"][5]["entropy"] - np.median(others)) / spread
    assert own["modules"][5]["bank_z"]["entropy"] == pytest.approx(z, rel=1e-9)
    assert document(str(tmp_path / "trusted-0"), bank=file)["bank"] == [
        str(tmp_path / f"trusted-{i}") for i in range(7)
    ]
    other_rank = screen(write(tmp_path / "r4", factors(0, rank=4)), bank=file, jobs=1)
    assert not any(each.bank_z for each in other_rank.adapters[0].modules)
    assert "fewer than 6 of the bank's adapters have its modules at its rank" in other_rank.to_markdown()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"adapters": [1]}', '{"adapters": [{"reason": null, "model": 3}]}']
)
def test_another_file_is_no_bank(odd: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(UsageError, match=r"b\.json: not what `wqscore screen --format json` writes"):
        screen(odd, bank=tmp_path / "b.json")
    with pytest.raises(UsageError, match="can't be read"):
        screen(odd, bank=tmp_path / "none.json")


def test_a_bank_named_twice_is_refused(odd: str, tmp_path: Path) -> None:
    file = bank(tmp_path, 1)
    with pytest.raises(UsageError, match="is in the bank already"):
        screen(odd, bank=[file, file])


def merged(folder: Path, content: Factors, dtype: str = "f4") -> tuple[str, str]:
    """A base, and the base with the adapter in it; returns both paths."""
    rng = np.random.default_rng(50)
    weights = {f"{name}.weight": rng.standard_normal(product(pair).shape) / 8 for name, pair in content.items()}
    after = {f"{name}.weight": weights[f"{name}.weight"] + product(pair) for name, pair in content.items()}
    for name, values in (("base", weights), ("merged", after)):
        (folder / name).mkdir(parents=True)
        save_file({each: value.astype(dtype) for each, value in values.items()}, folder / name / "model.safetensors")
    return str(folder / "base"), str(folder / "merged")


def test_a_merged_checkpoint_has_the_statistics_of_the_adapter(odd: str, tmp_path: Path) -> None:
    base, after = merged(tmp_path, planted(factors(1), SPIKED))
    one, other = (document(model, base=base)["adapters"][0] for model in (odd, after))
    for mine, theirs in zip(one["modules"], other["modules"], strict=True):
        assert mine["name"] == theirs["name"]
        assert theirs["rank"] is None
        for name in ("norm", "energy_share", "stable_rank", "kurtosis"):
            assert theirs[name] == pytest.approx(mine[name], rel=1e-4), name
    assert [row["name"] for row in other["modules"] if row["outlying"]] == [f"{SPIKED}.weight"]


def test_what_a_merge_left_alone_is_told(tmp_path: Path) -> None:
    content = factors(2)
    base, after = merged(tmp_path, content)
    values = load_file(f"{after}/model.safetensors")
    same = load_file(f"{base}/model.safetensors")
    first = next(iter(same))
    save_file(values | {first: same[first]}, f"{after}/model.safetensors")
    rows = document(after, base=base)["adapters"][0]["modules"]
    (left,) = [row for row in rows if row["reason"]]
    assert (left["name"], left["reason"], left["norm"]) == (first, "not one weight differs from the base", None)


def test_base_and_adapter_is_the_adapter(odd: str, tmp_path: Path) -> None:
    base, after = merged(tmp_path, factors(1))
    assert document(f"{base}+{odd}")["adapters"][0]["modules"] == document(odd)["adapters"][0]["modules"]
    (plain,) = screen(after, jobs=1).adapters
    assert "has no low-rank updates: name the base of a merged checkpoint with --base" in plain.reason


def test_zeros_nan_and_whole_weights_are_told(tmp_path: Path) -> None:
    content = factors(4)
    names = list(content)
    a, b = content[names[0]]
    content[names[0]] = (a, np.zeros_like(b))
    content[names[1]] = (np.full_like(content[names[1]][0], np.nan), content[names[1]][1])
    folder = Path(write(tmp_path / "a", content))
    stored = load_file(folder / "adapter_model.safetensors")
    whole = {"base_model.model.lm_head.weight": np.ones((96, 64), "f4")}
    save_file(stored | whole, folder / "adapter_model.safetensors")
    found = screen(str(folder), jobs=1)
    reasons = {row["name"]: row["reason"] for row in json.loads(found.to_json())["adapters"][0]["modules"]}
    assert "ΔW is zero" in reasons[f"{names[0]}.weight"]
    assert "NaN or infinities" in reasons[f"{names[1]}.weight"]
    assert sum(reason is None for reason in reasons.values()) == 28
    assert "no change to screen" in found.to_markdown()
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert {row["norm"] for row in rows if row["reason"]} == {""}


def test_an_adapter_of_rank_1_has_no_entropy(tmp_path: Path) -> None:
    (adapter,) = document(write(tmp_path / "a", factors(5, rank=1)))["adapters"]
    assert {row["entropy"] for row in adapter["modules"]} == {None}
    assert {row["z"]["entropy"] for row in adapter["modules"]} == {None}
    assert all(row["z"]["norm"] is not None for row in adapter["modules"])


def test_few_siblings_have_no_z(tmp_path: Path) -> None:
    found = screen(write(tmp_path / "a", factors(6, layers=5)), jobs=1)
    assert not any(each.z for each in found.adapters[0].modules)
    assert np.isnan(found.adapters[0].limit)
    assert "no module can be compared" in found.to_markdown()
    assert "fewer than 6 of the role and shape" in found.to_markdown()


def test_one_that_can_not_be_read_stops_no_other(found: Screening) -> None:
    assert "no such folder" in found.adapters[1].reason
    assert json.loads(found.to_json())["adapters"][1]["modules"] == []
    assert "no such folder" in found.to_csv() and "no such folder" in found.to_html()


def test_factors_are_read_once_and_no_product_is_solved(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    read = TensorRef.read
    monkeypatch.setattr(TensorRef, "read", lambda self: done.append(self.name) or read(self))
    monkeypatch.setattr(
        "wqscore.studies.screen.reading.compute_spectrum", lambda *a, **k: pytest.fail("solved a product")
    )
    screen(odd, jobs=1)
    assert len(done) == len(set(done)) == 60


def test_threads_change_nothing(odd: str) -> None:
    assert document(odd, jobs=3)["adapters"] == document(odd)["adapters"]


def test_a_convolutions_slices_are_pooled(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    stored = {}
    for layer in range(6):
        stored[f"base_model.model.layers.{layer}.conv.lora_A.weight"] = rng.standard_normal((4, 32, 3, 3)).astype(
            "f4"
        )
        stored[f"base_model.model.layers.{layer}.conv.lora_B.weight"] = rng.standard_normal((40, 4, 1, 1)).astype(
            "f4"
        )
    (tmp_path / "a").mkdir()
    save_file(stored, tmp_path / "a" / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 4, "target_modules": ["conv"]}
    (tmp_path / "a" / "adapter_config.json").write_text(json.dumps(config))
    (adapter,) = document(str(tmp_path / "a"))["adapters"]
    row = adapter["modules"][0]
    a, b = (stored[f"base_model.model.layers.0.conv.lora_{part}.weight"].astype("f8") for part in "AB")
    delta = np.einsum("or,rixy->oixy", b[:, :, 0, 0], a)
    assert row["norm"] == pytest.approx(np.linalg.norm(delta), rel=1e-6)
    energy = np.concatenate(
        [np.linalg.svd(delta[:, :, x, y], compute_uv=False) ** 2 for x in range(3) for y in range(3)]
    )
    assert row["energy_share"] == pytest.approx(energy.max() / energy.sum(), rel=1e-5)


def test_a_hostile_name_is_text_for_people(tmp_path: Path) -> None:
    content = planted(factors(1), SPIKED)
    hostile = SPIKED.replace("self_attn", "\x1b[31m<script>=cmd|\n.self_attn")
    content[hostile] = content.pop(SPIKED)
    found = screen(write(tmp_path / "a", content), jobs=1)
    assert [each.module.matrix.name for each in found.adapters[0].outlying] == [f"{hostile}.weight"]
    for text in (wqscore.results.render(found, "table"), found.to_markdown(), found.to_html()):
        assert "\x1b" not in str(text)
    assert not any("<script>" in text for text in (found.to_html(), found.to_markdown(), found._repr_html_()))


@pytest.mark.oracle("torch", "peft", "transformers")
def test_an_adapter_that_peft_saved(tmp_path: Path) -> None:
    config = transformers.GPT2Config(n_embd=48, n_layer=7, n_head=4, vocab_size=64, n_positions=16)
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(config)
    lora = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["c_attn", "c_proj"], init_lora_weights=False)
    wrapped = peft.get_peft_model(model, lora)
    wrapped.save_pretrained(tmp_path / "a")
    (adapter,) = document(str(tmp_path / "a"))["adapters"]
    layer = wrapped.base_model.model.transformer.h[2].mlp.c_proj
    delta = layer.get_delta_weight("default").detach().numpy().astype("f8")
    row = next(each for each in adapter["modules"] if "h.2.mlp.c_proj" in each["name"])
    energy = np.linalg.svd(delta, compute_uv=False) ** 2
    assert row["norm"] == pytest.approx(np.linalg.norm(delta), rel=1e-5)
    assert row["energy_share"] == pytest.approx(energy[0] / energy.sum(), rel=1e-5)
    entries = delta - delta.mean()
    assert row["kurtosis"] == pytest.approx((entries**4).mean() / (entries**2).mean() ** 2 - 3, rel=1e-4, abs=1e-4)


def test_files_pages_and_words(found: Screening, tmp_path: Path) -> None:
    page = write_study(found, tmp_path / "out", "screen")
    names = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert names == ["index.html", "screen.csv", "screen.json", "screen.md"]
    text = page.read_text()
    assert text.count("<svg") == len(STATISTICS)
    assert "no proof of anything wrong" in text
    (table,) = Page(text).tables
    assert table.header[:2] == ["module", "stands out in"]
    assert SPIKED in table.body[0][0] and table.body[0][1] and {row[1] for row in table.body[1:]} == {"–"}
    assert repr(found) == "<Screening of 2 adapters: 1 outlying modules>"
    assert wqscore.screen is screen


def test_the_scale_moves_the_norm_alone(tmp_path: Path) -> None:
    one, two = (
        document(write(tmp_path / f"{alpha:g}", factors(9), alpha))["adapters"][0] for alpha in (ALPHA, 3 * ALPHA)
    )
    for mine, theirs in zip(one["modules"], two["modules"], strict=True):
        assert theirs["norm"] == pytest.approx(3 * mine["norm"], rel=1e-9)
        for name in STATISTICS[1:]:
            assert theirs[name] == pytest.approx(mine[name], rel=1e-9)
    with pytest.raises(UsageError, match="no adapter given"):
        screen([])
