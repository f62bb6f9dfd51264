"""The benchmark results that a model's authors report in its card's metadata or in `.eval_results/*.yaml`.

Both are formats of the Hub, parsed by `huggingface_hub`:
https://huggingface.co/docs/hub/model-cards#evaluation-results and https://huggingface.co/docs/hub/eval-results.
The figures are the authors' claims and are not verified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from wqscore.checkpoints.card_yaml import load_yaml
from wqscore.errors import CheckpointError
from wqscore.escaping import printable
from wqscore.refs.reference import ModelRef
from wqscore.studies.known.card_files import CARD, read_card_files

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, EvalResultEntry

#: Longest name of a column, in characters.
_MAX_NAME = 200


@dataclass(frozen=True)
class BenchmarkResult:
    """One figure of a benchmark.

    Attributes:
        task: the kind of task, or in the newer format the benchmark's part.
        dataset: the data set's id.
        metric: the metric's id; in the newer format, which has one figure per task, the task.
        value: the figure.
        setting: configuration and split of the data set, and the run's arguments, where given.
        title: the display names, where given.
        verified: whether the card says that it comes from the Hub's own evaluation.
    """

    task: str
    dataset: str
    metric: str
    value: float
    setting: tuple[str, ...] = ()
    title: tuple[str, ...] = ()
    verified: bool = False


@dataclass(frozen=True)
class CardResults:
    """The results in a model's card.

    Attributes:
        results: the figures, in the card's order.
        left_out: entries that could not be used, with reasons, a line each.
    """

    results: tuple[BenchmarkResult, ...] = ()
    left_out: tuple[str, ...] = ()


def read_card(ref: ModelRef) -> CardResults:
    """Read the benchmark results of a model, from the Hub at the given revision or from its folder.

    Only the card and files of results are fetched. A model without a card, or whose card can't be reached, has none.

    Raises:
        CheckpointError: the model or its revision can't be found, or its card can't be fetched.
    """
    files = read_card_files(ref)
    found = [parse_card(text) if name == CARD else parse_eval_results(text, name) for name, text in files.texts]
    return CardResults(
        tuple(result for card in found for result in card.results),
        (*files.left_out, *(line for card in found for line in card.left_out)),
    )


def parse_card(text: str) -> CardResults:
    """Read the `model-index` of a card's metadata.

    Example:
        >>> parse_card("---" + '''
        ... model-index:
        ... - name: mine
        ...   results:
        ...   - task: {type: image-classification}
        ...     dataset: {type: beans, name: Beans}
        ...     metrics:
        ...     - {type: accuracy, value: 0.9}
        ... ---''').results[0].value
        0.9
    """
    from huggingface_hub.repocard import REGEX_YAML_BLOCK
    from huggingface_hub.repocard_data import model_index_to_eval_results

    def parse(result: Any) -> list[BenchmarkResult | str]:
        return [_from_index(found) for found in model_index_to_eval_results([{"name": "", "results": [result]}])[1]]

    block = REGEX_YAML_BLOCK.search(text)
    try:
        metadata = load_yaml(block[2], CARD) if block else {}
    except CheckpointError as error:
        return CardResults(left_out=(str(error),))
    index = metadata.get("model-index") if isinstance(metadata, dict) else None
    models = [model.get("results") if isinstance(model, dict) else model for model in _list(index)]
    # One by one, so that a broken one doesn't affect the others.
    return _collect([result for results in models for result in _list(results)], parse, CARD)


def parse_eval_results(text: str, name: str) -> CardResults:
    """Read a file `.eval_results/*.yaml`.

    Args:
        text: its text.
        name: its name, for messages.
    """
    from huggingface_hub import parse_eval_result_entries

    def parse(entry: Any) -> list[BenchmarkResult | str]:
        return [_from_entry(found) for found in parse_eval_result_entries([{"data": entry}])]

    try:
        entries = load_yaml(text, name)
    except CheckpointError as error:
        return CardResults(left_out=(str(error),))
    return _collect(_list(entries), parse, name)


def _list(value: Any) -> list[Any]:
    """A list unchanged; one broken item for a value that should be a list; an empty list for no value."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _collect(items: Sequence[Any], parse: Callable[[Any], list[BenchmarkResult | str]], where: str) -> CardResults:
    results: list[BenchmarkResult] = []
    left_out: list[str] = []
    for number, item in enumerate(items, 1):
        try:
            for found in parse(item):
                if isinstance(found, BenchmarkResult):
                    results.append(found)
                else:
                    left_out.append(f"{where}: {found}")
        # `huggingface_hub` assumes the structure, so a missing key or a wrong type raises any error.
        except Exception as error:
            lacking = f"it lacks {printable(str(error))[:40]}" if isinstance(error, KeyError) else "not of the format"
            left_out.append(f"{where}: result {number}: {lacking}")
    return CardResults(tuple(results), tuple(left_out))


def _from_index(found: EvalResult) -> BenchmarkResult | str:
    setting = [found.dataset_config, found.dataset_split, *_arguments(found.dataset_args)]
    title = [found.dataset_name, found.metric_name, found.metric_config, *_arguments(found.metric_args)]
    return _checked(
        (found.task_type, found.dataset_type, found.metric_type),
        found.metric_value,
        setting,
        title,
        found.verified is True,
    )


def _from_entry(found: EvalResultEntry) -> BenchmarkResult | str:
    names = (found.task_id, found.dataset_id, found.task_id)
    return _checked(names, found.value, [found.notes], [], found.verify_token is not None)


def _checked(
    names: tuple[Any, Any, Any], value: Any, setting: list[Any], title: list[Any], verified: bool
) -> BenchmarkResult | str:
    """The result, or the reason why it can't be used."""
    task, dataset, metric = map(_name, names)
    if not dataset or not metric:
        return "a result without the name of its data set or metric"
    number = _number(value)
    if number is None:
        return f"{dataset} {metric}: {printable(str(value)[:40])!r} is not a number"
    given = [tuple(filter(None, map(_name, words))) for words in (setting, title)]
    if max(map(len, (task, dataset, metric, *given[0], *given[1]))) > _MAX_NAME:
        return f"{dataset[:40]} {metric[:40]}: a name of more than {_MAX_NAME} characters"
    return BenchmarkResult(task, dataset, metric, number, given[0], given[1], verified)


def _number(value: Any) -> float | None:
    """A figure as a number; YAML 1.1 reads 1e-5 and quoted numbers as text, and yes as true, which equals 1."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _name(value: Any) -> str:
    """A name as one line of text; empty for a value that is not a name."""
    return printable(" ".join(str(value).split())) if isinstance(value, str | int | float) else ""


def _arguments(given: Any) -> list[str]:
    pairs = given.items() if isinstance(given, dict) else ()
    return [f"{key}={value}" for key, value in pairs if isinstance(value, str | int | float)]
