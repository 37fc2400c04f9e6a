# Everything sets itself up: `make demo` and `make test` work from a bare clone with Python 3.11 and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
# The versions to install: also constraints-oldest.txt, or /dev/null for the newest.
CONSTRAINTS ?= constraints.txt

.PHONY: demo test test-fast durations docs lint format env wheel-check conformance serve bench clean

demo: $(STAMP)
	@$(BIN)/t2s-agent demo --out demo-out

test: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist worksteal

# The tests to run while working: those that took under 0.2 s of processor time when they were last measured.
test-fast: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" --under 0.2

# All tests; writes the processor time of each into tests/durations.json.
durations: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist worksteal --measure

# Which lines and branches of the package the tests run; no number fails the build.
coverage: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term-missing:skip-covered

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# The documentation site, into site/. Warnings are errors.
docs: $(VENV)/.docs
	@$(BIN)/python docs/generate.py
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/zensical build --clean --strict # the path: ruff formats the signatures

$(VENV)/.docs: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --editable ".[docs]"
	@touch $@

serve: $(STAMP)
	@$(BIN)/t2s-agent serve --http

# Start, models, regions, questions, server and memory, each compared with an alternative in the same run; some minutes.
bench: $(STAMP)
	@$(BIN)/python -m evals.speed

env: $(STAMP)

# Installs again only when the list of packages changes.
$(STAMP): pyproject.toml $(CONSTRAINTS)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --editable ".[dev]"
	@touch $@

# The wheel as a new user installs it: one top-level package, under 60 MB, and the demo from an empty folder.
wheel-check: $(STAMP)
	@rm -rf build dist
	@$(BIN)/python -m build --wheel --outdir dist . >/dev/null
	@$(BIN)/python tests/wheel_check.py dist/*.whl constraints.txt

# The official MCP conformance suite, both eras of the protocol; needs npm, brings the Node that the suite wants.
conformance: $(STAMP) .node/.made
	@$(BIN)/python -m tests.conformance.run .node/node_modules/.bin

.node/.made: tests/conformance/package.json
	@mkdir -p .node && cp $< .node/
	@npm install --prefix .node --silent --no-audit --no-fund
	@touch $@

clean:
	rm -rf $(VENV) .node build dist site *.egg-info demo-out
