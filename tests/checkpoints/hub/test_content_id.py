"""Which links name a file's content: those of this user's own cache of the Hub, and no others."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.checkpoints.hub.content_id import cached_content_id

SHA, COMMIT = "c" * 64, "a" * 40
REPO = "models--org--name"


@st.composite
def links(draw: st.DrawFn) -> tuple[str, str, str, str, str, bool, int]:
    """A place, two repositories, a blob, a snapshot, whether the link is relative, and how many links lie between."""
    place = draw(st.sampled_from(["cache", "cache", "elsewhere", "cache/sub", "cache-2", "linked"]))
    repos = draw(st.sampled_from([(REPO, REPO)] * 3 + [(REPO, "models--org--other"), ("datasets--org--name",) * 2]))
    blob = draw(
        st.sampled_from([f"blobs/{SHA}"] * 3 + [f"blobs/{SHA[:-1]}", f"blobs/{'C' * 64}", f"files/{SHA}", SHA])
    )
    commits = [COMMIT] * 3 + [f"{COMMIT}/unet", "main", COMMIT[:-1], "A" * 40, "."]
    snapshot = draw(st.sampled_from([f"snapshots/{commit}" for commit in commits] + ["refs", f"snapshot/{COMMIT}"]))
    return (place, *repos, blob, snapshot, draw(st.booleans()), draw(st.integers(0, 2)))


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(made=("cache", REPO, REPO, f"blobs/{SHA}", f"snapshots/{COMMIT}", True, 0))
@example(made=("linked", REPO, REPO, f"blobs/{SHA}", f"snapshots/{COMMIT}", True, 0))
@given(made=links())
def test_only_links_within_a_repository_of_the_cache_name_a_content(
    made: tuple[str, str, str, str, str, bool, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from huggingface_hub import constants

    place, ours, theirs, blob, snapshot, is_relative, between = made
    root = tmp_path_factory.mktemp("links")
    (root / "cache").mkdir()
    (root / "linked").symlink_to(root / "cache")
    target = root / place / theirs / blob
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"weights")
    link = root / place / ours / snapshot / "model.safetensors"
    link.parent.mkdir(parents=True, exist_ok=True)
    for i in range(between):
        (link.parent / f"between{i}").symlink_to(target)
        target = link.parent / f"between{i}"
    link.symlink_to(
        os.path.relpath(target.resolve() if between == 0 else target, link.parent.resolve())
        if is_relative
        else target
    )
    assert link.read_bytes() == b"weights"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(root / "cache"))
        patch.setattr(constants, "ENDPOINT", "https://huggingface.co")
        found = cached_content_id(link)
    is_of_cache = place in ("cache", "linked") and ours == theirs == REPO
    is_named = blob == f"blobs/{SHA}" and snapshot.startswith(f"snapshots/{COMMIT}")
    assert found == (f"{SHA}@org/name" if is_of_cache and is_named else "")
