# Everything a person does here. A fresh machine needs Python 3.11 or later, and nothing else.
#
#   make train ARGS="--epochs 8"     make test ARGS="tests/spec"     make PYTHON=python3.12 setup

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
# Made by pip, and made again when what they were made from has changed.
RUNTIME := .venv/.installed-runtime
DEV := .venv/.installed-dev
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: setup train test lint types fmt docs bench check help

setup: $(DEV) ## Make .venv with everything to train, test and change verydeep

train: $(RUNTIME) ## Train on Fashion-MNIST, and write a report (ARGS="--epochs 8")
	.venv/bin/verydeep train fashion-mnist $(ARGS)

test: $(DEV) ## Run the tests (ARGS="tests/spec -k line")
	.venv/bin/python -m pytest $(ARGS)

lint: $(DEV) ## Look for mistakes, layout, and imports that go up a floor
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(DEV) ## Check the types
	$(BIN)/mypy

fmt: $(DEV) ## Lay the code out, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DEV) ## Check the pages: links, commands, Python, numbers
	.venv/bin/python -m pytest tests/docs

bench: $(DEV) ## Measure start-up, memory, and a recipe over five seeds (minutes)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/recipe.py fast --seeds 5

check: lint types test ## All that a commit must pass

help: ## List these
	@sed -n 's/^\([a-z]*\):[^#]*## /\1|/p' Makefile | while IFS='|' read -r name what; do \
	  printf '  make %-7s %s\n' "$$name" "$$what"; done

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/pip
	$(INSTALL) -e .
	@touch $@

# Whoever can change it can run it.
$(DEV): pyproject.toml constraints.txt | $(BIN)/pip
	$(INSTALL) -e '.[dev]'
	@touch $(RUNTIME) $@

$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON). Install Python 3.11 or later, or name one: make PYTHON=python3.12 setup" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$($(PYTHON) --version) is too old: verydeep needs 3.11 or later. Name one: make PYTHON=python3.12 setup" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
