"""A short run of the fuzzing: the committed inputs, all that once broke among them, and some hundred changes each."""

from __future__ import annotations

import contextlib
import random
import re
import tracemalloc
from collections.abc import Iterator

import pytest

from tests.fuzz.attempt import attempt
from tests.fuzz.inputs import CORPUS, FOUND, NOTES, inputs, starts
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import TARGETS, warm_up

CHANGES = 150
#: Longer ones are for `python -m tests.fuzz`.
LONGEST = 2**13
targets = pytest.mark.parametrize("name", TARGETS)
# pickletools warns of odd escapes, NumPy of overflow: neither is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def traced() -> Iterator[None]:
    warm_up()
    tracemalloc.start()
    yield
    tracemalloc.stop()


@targets
def test_no_committed_input_breaks_its_parser(name, tmp_path):
    for file, data in inputs(name).items():
        assert attempt(TARGETS[name], data, tmp_path) is None, file


@targets
def test_no_change_breaks_a_parser(name, tmp_path):
    rng = random.Random(name)
    seeds = starts(name)
    longest = max(LONGEST, *map(len, seeds))
    for number in range(CHANGES):
        data = mutate(rng.choice(seeds), TARGETS[name], seeds, rng, longest)
        finding = attempt(TARGETS[name], data, tmp_path)
        assert finding is None, (number, data)


def test_every_target_has_seeds_and_every_finding_a_line():
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    found = {file.relative_to(FOUND).as_posix() for file in FOUND.glob("*/*")}
    assert set(re.findall(r"^- `(\S+)`: \S", NOTES.read_text(), re.MULTILINE)) == found


class Wrong:
    """Parsers that do what none may do."""

    @staticmethod
    def crash(data, folder):
        raise KeyError("x")

    @staticmethod
    def hang(data, folder):
        while True:
            pass

    @staticmethod
    def hang_in_spite_of_except(data, folder):
        while True:
            with contextlib.suppress(Exception):
                Wrong.hang(data, folder)

    @staticmethod
    def hoard(data, folder):
        bytearray(2**27)


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (Wrong.crash, "KeyError in the target"),
        (Wrong.hang, "slow"),
        (Wrong.hang_in_spite_of_except, "slow"),
        (Wrong.hoard, "memory"),
    ],
)
def test_what_must_be_found_is_found(run, kind, tmp_path):
    target = type(TARGETS["npy"])(run, "binary", ())
    finding = attempt(target, b"", tmp_path, seconds=0.1)
    assert finding is not None and finding.kind == kind
