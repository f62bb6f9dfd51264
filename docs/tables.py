"""Write the tables of docs/numbers.md and docs/metrics.md that come from the registry: `make docs`."""

from __future__ import annotations

import re
from pathlib import Path

from wqscore.metrics.listing import metrics_markdown
from wqscore.metrics.metric import COSTS
from wqscore.metrics.registry import METRICS
from wqscore.presets.registry import PRESETS
from wqscore.rendering.markdown import markdown_table
from wqscore.spectra.eigenvalues import BLOCK_ROWS

ROOT = Path(__file__).parent.parent


def pages() -> dict[Path, str]:
    """The text of each page with its tables up to date."""
    core = [[metric.name, metric.formula, metric.caveat] for metric in METRICS.values() if metric.core]
    tables = {
        ROOT / "docs" / "numbers.md": {"core": markdown_table(["metric", "formula", "known to fail"], core)},
        ROOT / "docs" / "metrics.md": {
            "metrics": metrics_markdown(METRICS.values()),
            "costs": markdown_table(["cost", "what a metric asks for"], [list(item) for item in COSTS.items()]),
            "presets": markdown_table(
                ["preset", "what it is"], [[name, preset.description] for name, preset in PRESETS.items()]
            ),
            "gram": f"The Gram matrix of the smaller side is computed in float64, in blocks of {BLOCK_ROWS:,} rows "
            "(`gram_block_rows` in\n`ranking.json`); then a symmetric eigensolve for values only, one BLAS thread "
            "each.\n",
        },
    }
    written = {}
    for page, parts in tables.items():
        text = page.read_text(encoding="utf-8")
        for name, table in parts.items():
            marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
            assert marked.search(text), f"{page}: no place for {name}"
            text = marked.sub(lambda place, table=table: f"{place[1]}\n{table}\n{place[2]}", text)
        written[page] = text
    return written


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
