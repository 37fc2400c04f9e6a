# Everything sets itself up: `make demo` and `make test` work from a bare clone with Python 3.11 and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made

.PHONY: demo test test-fast lint format env bench clean

demo: $(STAMP)
	@$(BIN)/t2s-agent demo --out demo-out

test: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

env: $(STAMP)

# One stamp: made again only when what is to be installed changes.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

bench: $(STAMP)
	@$(BIN)/python -m evals.speed

clean:
	rm -rf $(VENV) build dist *.egg-info demo-out
