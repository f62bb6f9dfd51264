PYTHON ?= python3
# The build of torch that the tests compare with; the package itself never needs torch.
TORCH ?= torch==2.13.0
BIN := .venv/bin
DEMO := all-MiniLM-L6-v2 rxnfp-bert_pretrained rxnfp-bert_ft rxnfp-bert_ft_10k_25s rxnmapper-albert

.PHONY: demo nightly test slow fuzz lint bench bench-large bench-truth zoo zoo-sample docs sample screenshots clean

demo: .venv/base checkpoints/.done ## Rank five real checkpoints and say where the report is
	cd checkpoints && ../$(BIN)/wqscore rank $(DEMO) --out ../reports/demo
	@echo "Open reports/demo/index.html in a browser."

nightly: .venv/base checkpoints/.done ## One more night of a leaderboard of the demo checkpoints
	$(BIN)/wqscore leaderboard build examples/nightly/demo.toml --out reports/nightly
	$(BIN)/wqscore leaderboard check reports/nightly
	@echo "Open reports/nightly/index.html in a browser."

test: .venv/test checkpoints/.done ## The whole suite
	$(BIN)/python -m pytest --numprocesses auto

slow: .venv/test ## The tests that take minutes
	$(BIN)/python -m pytest -m slow

fuzz: .venv/test ## Every parser of files from strangers for an hour in all; with atheris where it installs
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	$(BIN)/python -m tests.fuzz --minutes 60

lint: .venv/test ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/test checkpoints/.done ## Speed and memory beside WeightWatcher
	$(BIN)/python -m benchmarks.fit_speed
	$(BIN)/python -m benchmarks.whole_process
	$(BIN)/python -m benchmarks.e_tpl_speed
	$(BIN)/python -m benchmarks.metric_costs
	$(BIN)/python -m benchmarks.warm_store
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.profile_run
	$(BIN)/python -m benchmarks.bert_base

bench-large: .venv/test ## Large matrices, a 7B model, cost and memory as matrices grow; a quarter of an hour
	$(BIN)/python -m benchmarks.eigensolvers
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.large_matrices
	$(BIN)/python -m benchmarks.seven_b

bench-truth: .venv/test ## Every estimator on draws whose law is known, some minutes
	$(BIN)/python -m benchmarks.synthetic_truth
	$(BIN)/python -m benchmarks.calibration

zoo: .venv/test ## Train the zoo, three hours of processor time, and write its table; killed, it goes on where it was
	$(BIN)/python -m benchmarks.zoo train
	$(BIN)/python -m benchmarks.zoo collect

zoo-sample: .venv/test ## Train ten networks of the zoo afresh and compare them with its table
	$(BIN)/python -m benchmarks.zoo sample

docs: .venv/base ## Write the tables that come from the registry
	$(BIN)/python -m docs.tables

sample: .venv/base checkpoints/.done ## Write the sample report that is committed
	cd checkpoints && SOURCE_DATE_EPOCH=1795305600 ../$(BIN)/wqscore rank $(DEMO) --out ../reports/sample

screenshots: demo nightly .venv/test ## Take the pictures of the README from the demo's report and leaderboard; needs Chromium
	$(BIN)/python -m docs.screenshots

clean:
	rm -rf .venv checkpoints reports/demo reports/nightly

.venv/base: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/test: .venv/base pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)" --editable ".[weightwatcher,test,oracles,dev]"
	touch $@

checkpoints/.done: demo/fetch.py | .venv/base
	$(BIN)/python demo/fetch.py checkpoints
	touch $@
