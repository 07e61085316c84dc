# Everything a person or CI does here. `make run` and `make test` work on a fresh machine with Python 3.11+, make and git.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help run test slow check bench validate notebooks lab docs format clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: $(READY) ## Simulate the baseline scenario and say where its report is
	$(BIN)/funnelsim run baseline

test: $(READY) ## Run the whole test suite
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow and not validation'

slow: $(READY) ## Run the tests that take long: notebooks, clusters, killed processes, the built wheel
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow

check: $(READY) ## Lint, check types and check the arrows between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.ray: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[ray]'
	@touch $@

validate: $(VENV)/.ray ## Run the slow proofs: statistics, studies killed again and again, and a cluster of Ray
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'slow or validation'

bench: $(READY) ## Measure speed against what one would otherwise have
	$(BIN)/python -m benchmarks

notebooks: $(READY) ## Run the notebooks again and keep what they show
	$(BIN)/python -m notebooks.execute

lab: $(VENV)/.lab ## Open the notebooks
	$(BIN)/jupyter lab notebooks

$(VENV)/.lab: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[notebook]'
	@touch $@

docs: $(READY) ## Write the generated pages anew and build the documentation site in site/
	$(BIN)/python -m docs.reference_pages docs/reference
	$(BIN)/mkdocs build --strict --quiet

format: $(READY) ## Put the code in its standard form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Delete what the other targets made
	rm -rf $(VENV) runs site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
