# Two commands: make demo, make test. Each sets up what it needs, once, in .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench formal clean

help:     ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## install everything into .venv (PYTHON=python3.13 chooses the Python)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python must be 3.11 or newer, not $$($(PYTHON) --version 2>&1); try make PYTHON=python3.13" >&2; exit 2; }
	@test -x $(BIN)/python || { echo "Making $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing packages into $(VENV) (once, some minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@$(BIN)/python -m shiftwork.flow.setup warm
	@touch $@

demo: $(STAMP)   ## train, compress, verify, place and route: build/digits/report.html
	@$(BIN)/shiftwork demo digits

test: $(STAMP)   ## all tests
	@$(BIN)/python -m shiftwork.flow.setup simulator
	@$(BIN)/python -m pytest -n 2 -q

lint: $(STAMP)   ## ruff
	@$(BIN)/ruff check .

bench: $(STAMP)  ## measure the engines: docs/results/, and README's tables
	@mkdir -p docs/results
	@$(BIN)/shiftwork bench ternary --json docs/results/ternary.json
	@$(BIN)/python -m shiftwork.flow.tables

formal: $(STAMP) ## the formal proofs alone
	@$(BIN)/python -m pytest -n 2 -q tests/formal

clean:    ## remove what can be made again, but not .venv
	rm -rf build sim_build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
