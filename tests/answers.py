"""What WeightWatcher 0.7.7 answers: kept in a file of tests/data, and asked anew by `make oracles`.

A test that takes the fixture `answers` runs twice: with what is kept, and, marked `oracle`, with the tool itself,
whose answers are compared with the kept ones. With WQSCORE_KEEP_ANSWERS in the environment it keeps them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parent / "data" / "weightwatcher-0.7.7" / "answers.json"


@dataclass(frozen=True)
class Answers:
    """The answers that one test asks for.

    Attributes:
        test: the test's name, under which they are kept.
        asked: whether the tool is asked, or what is kept is told.
    """

    test: str
    asked: bool

    def __call__(self, question: str, ask: Callable[[], Any], steady: bool = True) -> Any:
        """The answer to a question.

        Args:
            question: a name for it.
            ask: asks the tool; gives numbers, or lists or dictionaries of them.
            steady: whether the tool gives the same answer on every machine.
        """
        kept = json.loads(FILE.read_text(encoding="utf-8"))
        if not self.asked:
            return kept[self.test][question]
        answer = ask()
        if os.environ.get("WQSCORE_KEEP_ANSWERS"):
            kept.setdefault(self.test, {})[question] = answer
            FILE.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        assert not steady or flat(answer) == pytest.approx(flat(kept[self.test][question]), rel=1e-9, nan_ok=True)
        return answer


def flat(answer: Any) -> list[float]:
    """All numbers of an answer, in order."""
    if isinstance(answer, dict):
        return [number for key in sorted(answer) for number in flat(answer[key])]
    return [number for part in answer for number in flat(part)] if isinstance(answer, list) else [answer]


@pytest.fixture(params=["kept", pytest.param("asked", marks=pytest.mark.oracle("weightwatcher", "torch"))])
def answers(request: pytest.FixtureRequest) -> Answers:
    """WeightWatcher's answers to what a test asks."""
    return Answers(request.function.__name__, request.param == "asked")
