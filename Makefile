# All tasks of people and of CI. `make run` and `make test` work on a fresh machine with Python 3.11+, make and git.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
# Two workers share the cores; more threads in each only compete with those of the other. Compiled modules are kept, even
# where the environment says otherwise: many tests start processes.
PYTEST := PYTHONDONTWRITEBYTECODE= POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help run test slow check coverage bench validate notebooks lab docs format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) '.[dev]'
	@touch $@

run: $(READY) ## Simulate the baseline scenario and print where its report is
	$(BIN)/funnelsim run baseline

test: $(READY) ## Run the tests, except the slow ones
	$(PYTEST) -m 'not validation and not slow'

slow: $(READY) ## Run the slow tests: notebooks, clusters, killed processes, the built wheel
	$(PYTEST) -m 'slow and not validation'

check: $(READY) ## Lint, check types and check the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: $(READY) ## Run the tests and report which lines and branches they cover
	$(PYTEST) -m 'not validation and not slow' --cov --cov-report=term

$(VENV)/.ray: $(READY)
	$(PIP) '.[ray]'
	@touch $@

validate: $(VENV)/.ray ## Run the slow tests, the statistical validation and the Ray tests
	$(PYTEST) -m 'validation or slow'

bench: $(READY) ## Measure speed relative to plain alternatives
	$(BIN)/python -m benchmarks

notebooks: $(READY) ## Execute the notebooks and store their outputs
	$(BIN)/python -m notebooks.execute

lab: $(VENV)/.lab ## Open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

$(VENV)/.lab: $(READY)
	$(PIP) '.[notebook]'
	@touch $@

docs: $(READY) ## Generate the reference pages and build the documentation in site/
	$(BIN)/python -m docs.reference_pages docs/reference
	$(BIN)/mkdocs build --strict --quiet

format: $(READY) ## Format the code and apply automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Delete everything that the other targets create
	rm -rf $(VENV) runs site .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
