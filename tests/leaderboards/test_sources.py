"""What a site is built from: lists and references, their names on the site, and folders of checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.leaderboards.conftest import NIGHT, build_at, listed, write_model
from wqscore.api.settings import Settings
from wqscore.errors import UsageError
from wqscore.leaderboards.building import build
from wqscore.leaderboards.candidates import read_candidates
from wqscore.leaderboards.checking import check_site, parse_share
from wqscore.leaderboards.sources import TITLE, read_sources

QUICK = Settings(jobs=1, bootstrap=0, gof=0)


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", NIGHT)
    return tmp_path


def names(*sources: str) -> list[str]:
    return [candidate.name for candidate in read_candidates(read_sources(sources))]


def test_models_are_named_by_what_does_not_describe_the_machine(desk: Path) -> None:
    for folder in ("run-1", "a/run-2"):
        write_model(desk / folder, 0)
    assert names("./run-1", "a/run-2/", "org/name", "org/name@v1", f"{desk}/elsewhere/run-3", "../gone") == [
        "run-1",
        "a/run-2",
        "org/name",
        "org/name@v1",
        "run-3",
        "gone",
    ]


def test_lists_come_first_and_give_the_title(desk: Path) -> None:
    write_model(desk / "run-1", 0)
    Path("mine.toml").write_text('[list]\ntitle = "Mine"\n[[models]]\nid = "org/listed"\n')
    loaded = read_sources(["./run-1", "mine.toml"])
    assert [each.title for each in loaded] == ["Mine", "Mine"]
    assert names("./run-1", "mine.toml") == ["org/listed", "run-1"]
    assert read_sources(["./run-1"])[0].title == TITLE


def test_a_name_that_is_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="no model list called 'nosuch'"):
        read_sources(["nosuch"])


def test_a_folder_of_checkpoints_stands_for_these(desk: Path) -> None:
    for step in (200, 30):
        write_model(desk / f"runs/checkpoint-{step}", step)
    assert names("./runs") == ["runs/checkpoint-30", "runs/checkpoint-200"]


def test_a_vanished_model_keeps_its_row_and_check_counts_it(desk: Path) -> None:
    write_model(desk / "run-1", 1)
    write_model(desk / "Run-2", 2)
    build(read_sources(["./run-1", "./Run-2"]), Path("site"), settings=QUICK)
    assert check_site(Path("site"), 0.0) == []
    (desk / "Run-2").rename(desk / "elsewhere")
    with pytest.MonkeyPatch.context() as clock:
        clock.setenv("SOURCE_DATE_EPOCH", str(int(NIGHT) + 86_400))
        build(read_sources(["./run-1", "./Run-2"]), Path("site"), settings=QUICK)
        rows = {row["model"]: row for row in json.loads(Path("site/data/models.json").read_text())["models"]}
        assert (rows["Run-2"]["status"], rows["Run-2"]["scored"]) == ("stale", "2026-11-22")
        assert rows["Run-2"]["alpha"] is not None
        assert Path("site/models/Run-2.html").is_file()
        assert check_site(Path("site"), 0.5) == []
        (finding,) = check_site(Path("site"), parse_share("20%"))
        assert finding == "data/models.json: 1 of its 2 models were not scored tonight, more than 20%: Run-2"
        (desk / "run-1").rename(desk / "away")
        build(read_sources(["./run-1", "./Run-2"]), Path("site"), settings=QUICK)
        assert check_site(Path("site")) == ["data/models.json: none of its 2 models was scored tonight"]


@pytest.mark.parametrize("text", ["", "20 percent", "120%", "-1", "1.5", "nan"])
def test_no_share(text: str) -> None:
    with pytest.raises(UsageError, match=r"write it as 20% or 0\.2"):
        parse_share(text)


def test_the_files_of_a_site_of_0_5_0_are_found_and_renamed(desk: Path) -> None:
    """0.5.0 named the files of `Run-2` with a digest; the record and the table of a stale model move."""
    models = [listed(write_model(desk / "x", 1), "run-1"), listed(write_model(desk / "y", 2), "Run-2")]
    build_at(NIGHT, models, Path("site"))
    old = "run-2~12345678"
    with pytest.MonkeyPatch.context() as patch:
        for module in ("record_files", "building"):
            patch.setattr(
                f"wqscore.leaderboards.{module}.file_name_of_0_5_0", lambda name: old if name == "Run-2" else name
            )
        manifest = Path("site/data/files.json")
        for ending in ("json", "csv"):
            Path(f"site/data/models/Run-2.{ending}").rename(f"site/data/models/{old}.{ending}")
        manifest.write_text(manifest.read_text().replace("data/models/Run-2.", f"data/models/{old}."))
        (desk / "y" / "model.safetensors").write_bytes(b"cut")
        build_at(str(int(NIGHT) + 86_400), models, Path("site"))
    assert check_site(Path("site")) == []
    assert Path("site/data/models/Run-2.csv").is_file()
    assert not Path(f"site/data/models/{old}.csv").exists()


def test_a_site_ranks_by_alpha_and_says_the_odds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the record would choose for these models: a night must not change the metric."""
    monkeypatch.chdir(tmp_path)
    for seed in range(2):
        write_model(tmp_path / f"run-{seed}", seed)
    built = build(read_sources(["./run-0", "./run-1"]), Path("site"), settings=QUICK)
    assert (built.ranking.by.name, built.site.by.name) == ("alpha", "alpha")
    assert built.ranking.odds is not None and not built.ranking.odds.choice
    assert any("Odds: " in text for text in built.site.answers.values())
    without = build(read_sources(["./run-0", "./run-1"]), Path("site"), evidence="none", settings=QUICK)
    assert not any("Odds: " in text for text in without.site.answers.values())
