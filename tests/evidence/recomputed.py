"""The track record computed again from the CSV files alone, as docs/evidence.md describes it; no code is shared."""

import csv
import itertools
import math
import statistics
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

RECORDS = Path(__file__).parents[2] / "wqscore/evidence/records"
RIDGE = 0.1
#: Metrics of which more is claimed to be better; of all others less is.
HIGHER = {"params", "n_tail", "p_value", "R_exponential", "R_lognormal", "matrix_rank", "num_spikes", "rand_distance"}


def rows_of(source=None):
    files = sorted(RECORDS.glob("*.csv")) if source is None else [RECORDS / f"{source}.csv"]
    return [row for file in files for row in csv.DictReader(file.open(newline=""))]


def value(row, metric, sign):
    text = row.get(metric, "")
    if not text:
        return math.nan
    return math.log(float(text)) if metric == "params" else sign * float(text)


def kind_of(a, b):
    """The rules of docs/evidence.md, in its order."""
    if a.get("decision") or b.get("decision"):
        return a["decision"] if a.get("decision") == b.get("decision") else None
    for child, parent in ((a, b), (b, a)):
        made_from = child.get("parent") or None
        if made_from and made_from in (parent["model"], parent.get("weights") or None) and not parent.get("parent"):
            return child["kind"] if child["kind"] == "damage" else "fine-tune"
    kinds = {a["kind"], b["kind"]}
    if a.get("run") and a.get("run") == b.get("run") and kinds in ({"run"}, {"run", "recipe"}):
        return "run"
    if kinds != {"recipe"}:
        return None
    sizes = [float(row["params"] or "nan") for row in (a, b)]
    if max(sizes) / min(sizes) > 1.05:
        return "size"
    return "recipe" if a["series"] and a["series"] == b["series"] else None


def decisions(rows, kind):
    """(better, worse) of each decision."""
    # Of one table and one measure; and of one family, but across families.
    same = ("source", "quality_name") if kind == "across" else ("source", "quality_name", "family")
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in same), []).append(row)
    for a, b in itertools.chain.from_iterable(itertools.combinations(group, 2) for group in groups.values()):
        inside = a["family"] == b["family"]
        if kind == "across":
            wanted = not inside and a["kind"] == b["kind"] == "recipe"
        else:
            found = kind_of(a, b) if inside else "other"
            wanted = found == kind or (
                kind == "any" and inside and (found is not None or a["kind"] == b["kind"] == "recipe")
            )
        if not wanted or float(a["quality"]) == float(b["quality"]):
            continue
        a_is_better = (float(a["quality"]) > float(b["quality"])) == (a["better"] == "higher")
        yield (a, b) if a_is_better else (b, a)


def gaps_of(found, metric, sign):
    """(gap, families) of decisions, the gaps in units of their tool's typical one."""
    known = []
    for better, worse in found:
        gap = value(better, metric, sign) - value(worse, metric, sign)
        if math.isfinite(gap) and gap != 0:
            tool = "" if metric == "params" else better.get("scored_by") or "wqscore"
            known.append((gap, {better["family"], worse["family"]}, tool))
    unit = {}
    for tool in {tool for *_, tool in known}:
        by_family = {}
        for gap, families, of in known:
            if of == tool:
                for family in families:
                    by_family.setdefault(family, []).append(abs(gap))
        unit[tool] = statistics.median(statistics.median(gaps) for gaps in by_family.values())
    return [(gap / unit[tool], families) for gap, families, tool in known]


def weights_of(families):
    counts = {}
    for each in families:
        for family in each:
            counts[family] = counts.get(family, 0) + 1
    return np.array([sum(1 / counts[family] for family in each) / len(each) for each in families])


def learn(features, families):
    weights = weights_of(families)

    def loss(slopes):
        return float(weights @ np.logaddexp(0, -features @ slopes) + RIDGE / 2 * slopes @ slopes)

    def gradient(slopes):
        return -features.T @ (weights / (1 + np.exp(features @ slopes))) + RIDGE * slopes

    start = np.zeros(features.shape[1])
    return minimize(loss, start, jac=gradient, method="BFGS", options={"gtol": 1e-12}).x


def left_out_log_loss(features, families):
    means = []
    for family in sorted(set().union(*families)):
        inside = np.array([family in each for each in families])
        rest = [each for each in families if family not in each]
        if not rest:
            return math.nan, math.nan
        slopes = learn(features[~inside], rest)
        means.append(np.logaddexp(0, -features[inside] @ slopes).mean())
    if len(means) < 2:
        return math.nan, math.nan
    return float(np.mean(means)), float(np.std(means, ddof=1) / math.sqrt(len(means)))


def entry(found, metric, sign):
    """The figures of one metric and the decisions of one kind, or None without a decision."""
    scaled = gaps_of(found, metric, sign)
    if not scaled:
        return None
    gaps = np.arcsinh(3 * np.array([gap for gap, _ in scaled]))
    families = [frozenset(each) for _, each in scaled]
    mean, error = left_out_log_loss(gaps[:, None], families)
    return {
        "families": len(set().union(*families)),
        "pairs": len(gaps),
        "agreement": float((gaps > 0).mean()),
        "log_loss": mean,
        "log_loss_se": error,
    }
