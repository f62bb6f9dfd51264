"""How models are named and marked in a report: short names that break between words, and a mark of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from wqscore.ranking.conclusion import Conclusion
from wqscore.ranking.ranking import Ranking
from wqscore.ranking.short_names import short_names
from wqscore.rendering.html.palette import Mark, model_mark

#: A name may break after a hyphen, a line or a slash between words, and after a full stop before a letter.
_ENDS = re.compile(r"(?<=\w[-_/])(?=\w)|(?<=\.)(?=[^\W\d_])")


@dataclass(frozen=True)
class Names:
    """The models of a report, by the identity of their reference.

    Attributes:
        shown: each model's name without the folders that all models share.
        marks: each model's mark.
        by_label: the shown name by the full one.
    """

    shown: Mapping[int, str]
    marks: Mapping[int, Mark]
    by_label: Mapping[str, str]

    def answer(self, conclusion: Conclusion) -> Markup:
        """A conclusion's sentence; the model in bold only where the answer is clear."""
        text = conclusion.text
        if conclusion.kind == "clear":
            name = self.by_label.get(conclusion.best[0], "")
            if name and text.startswith(name):
                return Markup("<strong>{}</strong>{}").format(isolated(name), isolated(text[len(name) :]))
        return isolated(text)


def names_of(ranking: Ranking) -> Names:
    """The names and marks of a ranking's models."""
    refs = [model.ref for model in ranking.models]
    shown = short_names(refs)
    return Names(
        {id(ref): name for ref, name in zip(refs, shown, strict=True)},
        {id(ref): model_mark(place) for place, ref in enumerate(refs)},
        {ref.label: name for ref, name in zip(refs, shown, strict=True)},
    )


def breakable(text: str) -> Markup:
    """Text as HTML that may break after a hyphen, a line, a full stop or a slash, and not inside a word.

    Example:
        >>> breakable("org/rxnfp-bert_ft")
        Markup('org/<wbr>rxnfp-<wbr>bert_<wbr>ft')
    """
    return Markup("<wbr>").join(escape(part) for part in _ENDS.split(text))


def isolated(text: str) -> Markup:
    """Text whose letters' direction changes nothing around it."""
    return Markup('<bdi class="name">{}</bdi>').format(breakable(text))
