"""The words of the output that are no metrics, and what they mean: one table by kind.

An explanation says what the word means, then, on a line of its own, what to do about it where there is something.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wqscore.evidence.kinds import ANY, MEANING

_COUNTS = "It still counts in the averages."

_VERDICTS = {
    "ok": "The eigenvalues have a tail that a power law describes, and alpha is settled.",
    "unstable": f"Other, quite different alphas fit almost as well, more than 1 apart. {_COUNTS}\n"
    "Don't read much into this matrix's alpha; its alpha_least and alpha_most say how far it could move.",
    "undecided": f"It is near the limit of random, trap or no-power-law, so that the seed would decide. {_COUNTS}\n"
    "The reason names which; more draws (--gof) may settle it.",
    "no-power-law": "The tail is far from a power law (D above 0.10), and a true power law rarely fits as badly (p "
    f"below 0.1): alpha describes this matrix poorly. {_COUNTS}\n"
    "Usual for some matrices of sound models. If most are so, prefer a metric without a fit, such as stable_rank.",
    "trap": "Large eigenvalues remain after the entries are shuffled, so a few huge entries or a non-zero mean cause "
    f"them, not structure that was learnt. {_COUNTS}\n"
    "Look for outlier weights; wqscore check finds damaged rows and columns.",
    "random": f"The matrix looks the same after its entries are shuffled: it was not trained, or hardly. {_COUNTS}\n"
    "Check that the layer was loaded and trained. A model with more than half of its matrices random has no rank.",
    "too-small": "It has fewer than 50 eigenvalues to fit, and counts in no average.",
    "degenerate": "There is no tail to fit, as where all eigenvalues are equal up to rounding.",
    "zero": "Every weight is 0, or too small to square.\nA layer that was never trained, or was pruned away.",
    "non-finite": "It has NaN or infinite weights, or weights too large to square.\n"
    "The checkpoint is damaged, or training diverged: don't use it.",
    "skipped": "The tensor was not scored. The reason says why: it is no matrix, a copy, left out, or can't be read.",
}

_FLAGS = {
    "lambda_max<1": "The largest eigenvalue is below 1, where alpha_weighted and log_alpha_norm fall as alpha rises: "
    "the matrix is left out of the averages of these two.",
    "random-scaled": "The matrix looks like noise once its rows and columns are brought to one scale.",
    "random-scaled?": "As random-scaled, but near the limit, so that the seed would decide.",
    "float32": "The matrix was solved in float32 (--precision single), which moves its metrics by less than storing "
    "the weights in 16 bits did.",
    "fused": "Several matrices are stored in one tensor, and their layout is not known: they are scored as one.",
    "scale=…": "Low-rank factors were found by their names; this is the formula of their scale, or scale=1 where no "
    "alpha is stored.",
    **{
        f"{kind}-{lines}": f"Some {lines} {what}.\nwqscore check says which: they may be dead or damaged."
        for lines in ("rows", "columns")
        for kind, what in {
            "zero": "are all 0",
            "constant": "have one value in every entry",
            "repeated": "are copies of others",
        }.items()
    },
}

_ROLES = {
    "embedding": "Looked-up tables: tokens, positions, types. They are scored, and count in no average.",
    "head": "The last layer, which gives logits or classes. It is scored, and counts in no average.",
    "attention.q": "The queries of attention.",
    "attention.k": "The keys of attention.",
    "attention.v": "The values of attention.",
    "attention.o": "What attention's heads are put together by.",
    "mlp.gate": "The gate of a gated feed-forward block.",
    "mlp.in": "The widening matrix of a feed-forward block.",
    "mlp.out": "The narrowing matrix of a feed-forward block.",
    "conv": "A convolution's kernel, as one matrix over its positions.",
    "other": "A weight whose name doesn't tell what it does. It counts like any other.",
}

_CONCLUSIONS = {
    "clear": "One model is ahead of every other one beyond doubt, by this metric over its layers.",
    "tie": "Several models can't be told apart by this metric: the order among them is chance.\n"
    "Choose by something else: validation loss, size, licence.",
    "alone": "The model has no other of its family beside it, so there is nothing to compare it with.",
    "families": "The models are of several families, and each family has an answer of its own.",
    "across": "Models of several families were ranked together, which the metric is not known to allow.",
    "order": "The metric claims nothing about quality, or is a distance: the models are in order of it, no more.",
    "no-interval": "The metric is of the whole model and has no interval, so a tie can't be ruled out.",
}

_STATUSES = {
    "ranked": "The model has a rank.",
    "unranked": "The model was scored, but its number can't be trusted with a rank; the reason says why.",
    "failed": "Of a model in a ranking: it could not be found, read or scored. Of a gate: a rule failed.",
    "passed": "Of a gate: no rule failed, and each could be judged.",
    "unscored": "Of a gate: what a rule asks for has no value, or no matrix was scored. It never passes.",
}

_COLUMNS = {
    "rank": "The place in its family, 1 being best; = marks a shared one. Of compress: how many directions two "
    "factors with that share of the matrix's weights keep.",
    "model": "The model as it was named.",
    "revision": "The commit on the Hub.",
    "family": "What the model is ranked with; it may depend on the other models. --family sets it.",
    "family_id": "The family from the model alone, for joining tables of several runs.",
    "params": "How many weights all its tensors have.",
    "hidden_size": "The width of the model.",
    "depth": "How many numbered layers it has.",
    "coverage": "The share of the weights behind the number, of those that belong there. Below 50 %, no rank.",
    "coverage_all": "The share of all parameters in matrices with a fit.",
    "n_matrices": "How many matrices belong in the averages, unread ones included. Of kin: how many were matched.",
    "n_fitted": "How many of these have a fit.",
    "n_ok": "How many of these have the verdict ok.",
    "fitted": "Matrices with a fit, of those that belong in the averages.",
    "ok": "Matrices with the verdict ok, of those that belong in the averages.",
    "range": "The ranks that the model could have, given how its layers vary.",
    "rank_best": "The best rank that it could have: 1 more than the models ahead of it beyond doubt.",
    "rank_worst": "The worst rank that it could have.",
    "median": "The middle value over the matrices: what models are ranked by, unless the preset says otherwise.",
    "mean": "The mean over the matrices.",
    "by size": "The mean over the matrices, each weighted by its number of weights.",
    "matrices": "How many matrices are behind the number.",
    "shape": "Rows and columns of the matrix; for a pooled convolution also its positions.",
    "ties": "Letters: two models share one exactly if they can't be told apart.",
    "odds_over_next": "How likely the model is better than the next one of its family, by the record of decisions; "
    "empty for a toss-up.",
    "odds_kind": "What makes these two differ: size, recipe, run, fine-tune, damage or across.",
    "odds_families": "How many families of the record the odds rest on.",
    "record": "The version of the record of decisions: wqscore evidence.",
    "status": "ranked, unranked or failed.",
    "reason": "Why there is no rank, no score or no value; or a warning.",
    "interval": "The 95 % interval of a model's number: its matrices are drawn again within their roles.",
    "name": "The matrix: its tensor's name, with the part in brackets.",
    "role": "What the matrix does, from its name: wqscore explain attention.q.",
    "rows": "Rows of the matrix.",
    "columns": "Columns of the matrix.",
    "verdict": "Whether the matrix's fit can be relied on, or why not: wqscore explain ok.",
    "flags": "What else to know of the matrix: wqscore explain fused.",
    "ahead": "Of two models, the one with the better rank.",
    "behind": "Of two models, the one with the worse rank.",
    "metric": "The metric that was compared.",
    "difference": "The number of the model ahead minus that of the one behind.",
    "lo": "Lower end of the 95 % interval of the difference, over their matrices.",
    "hi": "Upper end of that interval.",
    "delta": "The smallest difference that counts: up to it, two models are tied.",
    "tied": "yes if the two can't be told apart.",
    "matrices_paired": "How many matrices of one name and shape both have.",
    "matrices_lost": "How many matrices only one of them has.",
    "lowest": "The smallest possible difference, whatever the matrices that only one has had been in the other.",
    "highest": "The largest possible difference, in the same way.",
    "p": "How often chance alone gives as one-sided a difference.",
    "p_holm": "The same, corrected for the number of pairs that were compared.",
    "temperature": "Of a cell of a grid: what makes training noisier, such as a smaller batch. wqscore phase.",
    "copy_cosine": "Of a cell of a grid of checkpoints: the median cosine of the weights of its copies, estimated "
    "from sketches; near 0 for different starts. wqscore phase.",
    "neighbour_cosine": "Of a cell of a grid of checkpoints: the median cosine of its weights with those of the next "
    "temperatures at its size, estimated from sketches. wqscore phase.",
    "phase": "Of a cell of a grid: I to IV-B by sharpness, connection and similarity of trained copies, not trained "
    "or ends not converged. wqscore phase.",
    "good": "Of a cell of a grid: the column that --good names; higher is better.",
    "log_hessian_top_eig": "Of a cell of a grid: logarithm of the largest eigenvalue of the training loss's Hessian.",
    "log_hessian_trace": "Of a cell of a grid: logarithm of the trace of the training loss's Hessian.",
    "mode_connectivity": "Of a cell of a grid: mean loss of two copies less the loss on the best curve between them; "
    "below 0 for a barrier.",
    "cka_last": "Of a cell of a grid: how alike the outputs of two copies are, by centred kernel alignment, 0 to 1.",
    "block": "Of a layer-wise plan: the layer, whose matrices are treated alike. wqscore allocate.",
    "value": "Of a layer-wise plan: what the block or matrix gets by the metric. In long tables: the number.",
    "uniform": "Of a layer-wise plan: what it would get without a metric, if all got the same.",
    "linear": "Of a layer-wise plan: what it would get without a metric, growing evenly with depth.",
    "share_of_top": "Of a phase: the share of the best tenth of all cells that is in it.",
    "other_name": "Of diff: the matrix's name in the other model.",
    "matched_by": "Of diff: how the matrix was found in the other model: by name, by name with a prefix apart, by "
    "equal contents (digest), or by like contents.",
    "base_norm": "Of diff: the norm of the base's matrix, the root of its sum of squares.",
    "delta_norm": "Of diff: the norm of the change ΔW.",
    "relative_change": "Of diff: the norm of the change over that of the base's matrix.",
    "delta_stable_rank": "Of diff: how many directions carry most of the change; empty where nothing changed.",
    "delta_effective_rank": "Of diff: the exponential of the entropy of the change's singular values.",
    "delta_rank": "Of diff: the rank of the change, above what rounding in the stored types leaves.",
    "delta_lambda_max": "Of diff: the largest eigenvalue of the change, its squared spectral norm.",
    "overlap_left": "Of diff: how far the leading left singular directions stayed: 1 for the same ones.",
    "overlap_right": "Of diff: how far the leading right singular directions stayed: 1 for the same ones.",
    "overlap_rank": "Of diff: how many leading directions were compared.",
    "chance_left": "Of diff: what overlap_left is for random directions.",
    "chance_right": "Of diff: what overlap_right is for random directions.",
    "side": "Of diff: the model that alone has the matrix: base or other.",
    "a": "Of kin: the first model of a pair.",
    "b": "Of kin: the second model of a pair.",
    "cosine": "Of kin: the median over matched matrices of the cosine of their weights, estimated from sketches; 1 "
    "for copies, within a few hundredths of 0 for unrelated models.",
    "cosine_se": "Of kin: the standard error of the cosine, by the matrices' spread and what sketches leave open.",
    "directions": "Of kin: how far the leading singular directions of two models agree, by fingerprints: 1 for the "
    "same ones, 0.2 by chance. Empty for models that were ranked before and not read again.",
    "spectrum_distance": "Of kin: how far the eigenvalues of two models are apart, in powers of ten, the median over "
    "matched matrices. No verdict rests on it but that of permuted or rotated copies.",
    "n_exact": "Of kin: how many of the matched matrices are equal.",
    "kind": "Of width: a block of two layers, or one product of an attention head.",
    "activation": "Of width: what a block's neurons compute; it decides which may be merged.",
    "stored": "Of width: how many neurons a block has, or the size of a head.",
    "tolerance": "Of width: how far apart merged neurons may be, and how small the weights of silent ones.",
    "effective": "Of width: how many neurons are left when those are merged that do the same; or the rank of what a "
    "head computes.",
    "silent": "Of width: neurons whose outgoing weights are 0, or cancel, at the smallest tolerance.",
    "constant": "Of width: neurons that don't depend on their input. They fold into the next layer's bias, if it has "
    "one.",
    "error_bound": "Of width: how far a block's outputs move at most by merging, for an input of length 1.",
    "nearest_cosine": "Of width: the largest cosine of the incoming weights of two neurons of a block.",
    "study": "Of plan --study: what would be run.",
    **{
        f"{stored}{name}": f"Of plan{of}: {what}{when}."
        for stored, of, when in (("", "", ""), ("stored_", " --study", ", once the models' scores are stored"))
        for name, what in {
            "bytes_to_read": "bytes that are read",
            "eigensolves": "matrices that are solved",
            "core_seconds_estimate": "the least time that is likely, on one core",
            "core_seconds_most": "the most time that is likely, on one core",
            "peak_memory_estimate": "bytes of memory at the peak",
        }.items()
    },
    "bytes_to_fetch": "Of plan: bytes that are downloaded first.",
    "error": "Of compress: what the best matrix of that rank loses, as a share of the norm. It is the error of "
    "weights, not of outputs. Of landscape: the percentage of examples that is wrong.",
    "loss": "Of landscape: the mean loss over the examples given.",
    "weight_norm": "Of landscape: the root of the sum of squares of all parameters.",
    "hessian_top": "Of landscape: the largest eigenvalue of the loss's Hessian, its sharpest direction.",
    "hessian_least": "Of landscape: the smallest eigenvalue of the Hessian; below 0 at a saddle.",
    "hessian_trace": "Of landscape: the sum of the Hessian's eigenvalues, estimated, with its interval.",
    "hessian_negative_share": "Of landscape: the share of the Hessian's eigenvalues below 0, estimated.",
    "pacgen": "Of landscape: PACGen's measure, from curvature, its change and the weights; a norm of the weights "
    "where saturated is near 1.",
    "pacgen_bound": "Of landscape: the value of PACGen's bound; no bound, as its prior depends on the data.",
    "saturated": "Of landscape: the share of weights whose curvature doesn't count in pacgen.",
    "phi": "Of landscape: sharpness, the mean rise of the loss within a distance of 0.2.",
    "psi": "Of landscape: curvature of the path that scaling hidden units draws in the space of weights.",
    "margin_median": "Of landscape: the median over examples of the shortest move of all layers that changes the "
    "class, from above.",
    "mc_loss": "Of landscape, between two models: the mean of their losses less the loss on a trained curve between "
    "them, where it departs most; below 0 for a barrier.",
    "mc_error": "Of landscape, between two models: the same of the percentage that is wrong, as published.",
    "linear_mc_loss": "Of landscape, between two models: the same of the loss, on the line between them.",
    "linear_mc_error": "Of landscape, between two models: the same of the percentage that is wrong, on the line.",
    "aligned_mc_loss": "Of landscape, between two models: the same of the loss, on the line after the second one's "
    "neurons were permuted to match the first's.",
    "cka": "Of landscape, between two models: how alike their outputs are, by centred kernel alignment, 0 to 1.",
    "l2": "Of landscape, between two models: the Euclidean distance of their parameters.",
    "rank_1pct": "Of compress: the least rank that loses at most 1 % of the norm.",
    "rank_5pct": "Of compress: the least rank that loses at most 5 % of the norm.",
    "rank_10pct": "Of compress: the least rank that loses at most 10 % of the norm.",
    "gauge": "The form of the weights that was scored: balanced is the one that all weights of one function share, "
    "as far as heads, hidden neurons and gains go. There is no such column without --gauge.",
    "applies": "Of symmetry: whether the transformation leaves the model's function alone; if not, the reason.",
    "sites": "Of symmetry: at how many places of the model the transformation acts.",
    "logit_change": "Of symmetry: the largest change of the log-softmax of the outputs for random tokens.",
    "invariance": "Of symmetry: exact if the metric can't move but for rounding, moves if it does, none-claimed for "
    "metrics of shuffles, windows and vectors.",
    "spread": "Of symmetry: the model's largest number less its least, over 8 random draws of the transformation.",
    "stored_width": "Of track --condensation: the neurons of all pairs of layers that were measured at the step.",
    "effective_width": "Of track --condensation: how many of these are left when those are merged that do the same; "
    "effective_width_NAME is that of one pair of layers.",
    "n_trap": "Of track: how many matrices of the step have the verdict trap.",
    "warning": "What is doubtful about a model's number. Of track: the metrics that go with the known figure in "
    "another direction than the declared one.",
    "x": "Of correlations: the metric.",
    "spearman": "Of track: Spearman's rho of the metric and the known figure over the steps.",
    "declared": "Of track: which direction of the metric is declared better; empty where nobody claims one.",
    "energy_share": "Of screen: the share of the change's energy in its leading direction.",
    "norm": "Of screen: the norm of the change ΔW.",
    "kurtosis": "Of screen: the excess kurtosis of the change's entries; 0 for a normal law.",
    **{
        f"{head}{name}": f"Of screen: how far the module's {name} is from the median of {whose}, in robust standard "
        "deviations."
        for head, whose in (("z_", "its siblings"), ("bank_z_", "the bank's adapters"))
        for name in ("norm", "energy_share", "entropy", "stable_rank", "kurtosis")
    },
    "outlying": "Of screen: the statistics in which the module stands out from its siblings.",
    "bank_outlying": "Of screen: the statistics in which the module stands out from those of the bank.",
    **{
        f"error_{bits}bit": f"Of compress: what rounding to {bits} bits loses, as a share of the norm; each row has "
        "a scale of its own."
        for bits in (8, 4, 3, 2)
    },
}

_TERMS = {
    "left-out": "A matrix that --layers or --roles did not choose: it is in no number and in no coverage.",
    **{kind: f"A kind of decision: {meaning}." for kind, meaning in MEANING.items() if kind != ANY},
    "same": "Of two models: every matrix of both is equal. wqscore kin.",
    "related": "Of two models: the median cosine of their matrices is above 0.5, so they share weights. It says "
    "nothing of which came first, or how.\nwqscore kin.",
    "unrelated": "Of two models: their matrices are as far apart as chance has it, or none are of one shape.\n"
    "wqscore kin.",
    "sketch": "128 sums of a matrix's weights with fixed random signs, by which matrices of one shape are compared "
    "without reading them again. The store keeps it beside the spectrum.",
    "odds": "How likely the model with the better number is the better model, learned from the record of decisions: "
    "wqscore evidence.",
    "toss-up": "The record doesn't tell two models apart: the odds don't beat a coin by two standard errors.",
    "informative": "Of a metric and a kind of decision: on families left out its odds beat a coin by more than two "
    "standard errors, and come true as often as they say.",
    "baseline": "The earlier score that a gate measures changes from: wqscore score REF --format json > FILE.",
    "worse": "A gate's rule: fails if the change from the baseline, matrix by matrix, is worse beyond doubt.",
    "base": "The checkpoint that distances are measured from: --base.",
    "preset": "A set of constants: wqscore's own, or those of published code.",
    "outlook": "Of compress: the share of weights kept times the mean stable rank, which the literature found to "
    "predict what compression costs.\nNot tested for your model.",
    "balanced": "Of --gauge: the form of the weights in which queries and keys, values and outputs, and what goes "
    "into and out of hidden neurons have equal norms. Equal functions have equal balanced numbers.",
    "exact": "Of symmetry: the metric can't move under the transformation, but for rounding.",
    "moves": "Of symmetry: the metric moves though the function doesn't.",
    "none-claimed": "Of symmetry: the metric is no function of eigenvalues alone, so that no invariance is claimed.",
    "turning point": "Of track: the lowest or highest point of a metric's moving median over the steps, from which "
    "the median comes back on both sides by more than its interval.",
    "sibling": "Of screen: a module of the same role, shape and rank in the same adapter.",
    "bank": "Of screen: the statistics of adapters that you trust: wqscore screen ADAPTER... --format json > FILE.",
    "outlier": "A gate's rule, outlier(kurtosis) > 12: the largest |z| of an adapter's modules among siblings;\n"
    "bank_outlier(...) against --bank.",
    "eigenvalue": "Of WᵀW: how much a matrix stretches one direction, squared. Few large ones make a heavy tail.",
    "signal": "Of a matrix: the sum of singular values beyond the edge of the noise, by that of the others and by "
    "the largest; 0 for noise. wqscore allocate unfreeze.",
    "tail": "The largest eigenvalues, from xmin on, to which a power law is fitted.",
}

#: By kind, every word that is no metric.
WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "verdict": _VERDICTS,
        "flag": _FLAGS,
        "role": _ROLES,
        "conclusion": _CONCLUSIONS,
        "status": _STATUSES,
        "column": _COLUMNS,
        "term": _TERMS,
    }
)
#: Endings of a metric's columns.
ENDINGS: Mapping[str, str] = MappingProxyType(
    {
        "_interval_lo": "Lower end of the 95 % interval of the model's {name}, over its matrices.",
        "_interval_hi": "Upper end of the 95 % interval of the model's {name}, over its matrices.",
        "_param_mean": "The mean of {name} over the matrices, each weighted by its number of weights.",
        "_mean": "The mean of {name} over the matrices.",
        "_count": "How many matrices are behind the model's {name}.",
        "_base": "Of diff: the base's {name}.",
        "_other": "Of diff: the other model's {name}.",
        "_change": "Of diff: the other model's {name} less the base's.",
    }
)
