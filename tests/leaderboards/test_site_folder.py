"""The folder before a build: a site, a damaged or partial site, or other people's files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.leaderboards.conftest import NIGHT, build_at, listed, write_model
from tests.leaderboards.nights import contents
from wqscore.errors import UsageError
from wqscore.leaderboards import folder as site_folder
from wqscore.leaderboards.checking import check_site
from wqscore.refs.model_list import ListedModel

NEXT = str(int(NIGHT) + 86_400)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[ListedModel]:
    folder = tmp_path_factory.mktemp("models")
    return [listed(write_model(folder / str(seed), seed), f"toy-{seed}") for seed in range(2)]


@pytest.fixture
def site(models: list[ListedModel], tmp_path: Path) -> Path:
    build_at(NIGHT, models, tmp_path / "site")
    return tmp_path / "site"


DAMAGE = {
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "other": lambda text: '{"nights": 3}',
    "a list": lambda text: "[]",
    "deep": lambda text: "[" * 100_000,
    "newer": lambda text: text.replace('"schema_version": 1', '"schema_version": 2'),
    "not a number": lambda text: text.replace('"alpha": ', '"alpha": "x" , "b": '),
    "infinite": lambda text: text.replace('"alpha": ', '"alpha": Infinity, "b": '),
    "out of order": lambda text: text.replace('"night": "2026-11-22"', '"night": "2026-11-20"'),
    "not text": lambda text: "\udcff",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_history_is_refused_and_nothing_is_written(
    site: Path, models: list[ListedModel], kind: str
) -> None:
    file = site / "data/history.json"
    file.write_bytes(DAMAGE[kind](file.read_text()).encode("utf-8", "surrogateescape"))
    before = contents(site)
    with pytest.raises(UsageError, match=r"history\.json.*nothing was written") as refused:
        build_at(NEXT, models, site)
    assert "\n" not in str(refused.value)
    assert contents(site) == before


def test_a_damaged_record_is_refused(site: Path, models: list[ListedModel]) -> None:
    (site / "data/models/toy-0.json").write_text('{"name": "toy-0"}')
    before = contents(site)
    with pytest.raises(UsageError, match=r"toy-0\.json: is not a record"):
        build_at(NEXT, models, site)
    assert contents(site) == before


def test_a_record_of_0_5_0_is_read_without_its_interval_of_another_kind(
    site: Path, models: list[ListedModel], tmp_path: Path
) -> None:
    """0.5.0 wrote the ends by order statistics, figures of nuisance parameters, and no family_id."""
    file = site / "data/models/toy-0.json"
    record = json.loads(file.read_text())
    figures = {name: {**figure, "lo": 2.5, "hi": 9.5} for name, figure in record["figures"].items()}
    for figure in figures.values():
        del figure["interval"]
    figures["xmin"] = {"value": 1.5, "lo": 1.0, "hi": 2.0, "count": 7}
    del record["family_id"], record["warning"]
    file.write_text(json.dumps({**record, "version": "0.5.0", "figures": figures}))
    gone = replace(models[0], id=str(tmp_path / "0"))
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "model.safetensors").write_bytes(b"cut short")
    build_at(NEXT, [gone, models[1]], site)
    assert check_site(site) == []
    old = next(m for m in json.loads((site / "data/models.json").read_text())["models"] if m["model"] == "toy-0")
    assert old["status"] == "stale"
    assert old["alpha"] == record["figures"]["alpha"]["value"]
    assert (old["alpha_interval_lo"], old["alpha_interval_hi"]) == (None, None)
    page = (site / "models/toy-0.html").read_text(encoding="utf-8")
    assert "2.5–9.5" not in page and "schema.html#xmin" not in page


@pytest.mark.parametrize("names", [["../outside.txt"], ["/etc/passwd"], ["a/../../b"], [3], "index.html"])
def test_a_list_of_files_that_points_elsewhere_is_refused(
    site: Path, models: list[ListedModel], names: object
) -> None:
    (site / "data/files.json").write_text(json.dumps({"kind": "wqscore leaderboard", "files": names}))
    (site.parent / "outside.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"files\.json: is no list of a site's files"):
        build_at(NEXT, models, site)
    assert (site.parent / "outside.txt").read_text() == "mine"


def test_a_folder_of_something_else_is_refused(models: list[ListedModel], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="has files in it and is not a leaderboard"):
        build_at(NIGHT, models, tmp_path)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}


def test_files_of_others_stay(site: Path, models: list[ListedModel]) -> None:
    (site / "CNAME").write_text("toys.example")
    build_at(NEXT, models[:1], site)
    assert (site / "CNAME").read_text() == "toys.example"
    (site / "models" / "toy-9.html").write_text("mine")
    ninth = listed(Path(models[0].id), "toy-9")
    with pytest.raises(UsageError, match=r"toy-9\.html: was not written by the site"):
        build_at(NEXT, [ninth], site)
    assert (site / "models" / "toy-9.html").read_text() == "mine"


def test_what_a_site_no_longer_has_is_removed(site: Path, models: list[ListedModel]) -> None:
    other = [listed(Path(model.id), model.aliases[0], family="renamed") for model in models]
    assert (site / "families/toys.html").is_file()
    build_at(NEXT, other, site)
    assert not (site / "families/toys.html").exists()
    assert (site / "families/renamed.html").is_file()


@pytest.mark.parametrize("after", [0, 3, 8, 12])
def test_a_build_that_was_cut_off_is_mended_by_the_next(
    models: list[ListedModel], site: Path, tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(site, whole)
    build_at(NEXT, models[:1], whole)
    written = []
    write = site_folder._write

    def cut_off(*arguments: object) -> None:
        if len(written) == after:
            raise KeyboardInterrupt
        written.append(arguments)
        write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(site_folder, "_write", cut_off)
    with pytest.raises(KeyboardInterrupt):
        build_at(NEXT, models[:1], site)
    monkeypatch.undo()
    (site / ".new").write_text("half a page")
    build_at(NEXT, models[:1], site)
    assert contents(site) == contents(whole)


def test_no_page_tells_of_the_machines_folders(models: list[ListedModel], site: Path, tmp_path: Path) -> None:
    broken = [models[0], listed(write_model(tmp_path / "broken", 5), "broken")]
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"cut short")
    build_at(NEXT, broken, site)
    assert b"Never scored; failing since 2026-11-23" in contents(site)["models/broken.html"]
    assert not [name for name, text in contents(site).items() if str(tmp_path).encode() in text]


def test_two_models_of_one_name_are_refused(models: list[ListedModel], tmp_path: Path) -> None:
    twins = [models[0], listed(Path(models[1].id), "toy-0")]
    with pytest.raises(UsageError, match="two models are called 'toy-0'"):
        build_at(NIGHT, twins, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(
    site: Path, models: list[ListedModel], tmp_path: Path
) -> None:
    """Whoever shares the folder would choose which file of its user is overwritten."""
    (tmp_path / "mine").write_text("kept")
    (site / ".new").symlink_to(tmp_path / "mine")
    build_at(NEXT, models, site)
    assert (tmp_path / "mine").read_text() == "kept"
    assert check_site(site) == []


@pytest.mark.parametrize("below", ["data", "data/models", "models"])
def test_a_folder_that_links_elsewhere_is_refused(
    site: Path, models: list[ListedModel], tmp_path: Path, below: str
) -> None:
    """Its files, under names that the site's list has, would be removed."""
    (site / below).rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/precious.txt").write_text("kept")
    (site / below).symlink_to(tmp_path / "elsewhere")
    manifest = json.loads((site / "data/files.json").read_text())
    manifest["files"].append(f"{below}/precious.txt")
    (site / "data/files.json").write_text(json.dumps(manifest))
    before = contents(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is a link to another place: nothing was written"):
        build_at(NEXT, models, site)
    assert contents(tmp_path / "elsewhere") == before
