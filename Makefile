# Set up, train, test and check. Needs Python 3.11 or later, and npm for the live page of `make docs`.
#
#   make train ARGS="--epochs 8"
#   make test TESTS=tests/architecture
#   make check TESTS="tests/architecture -k grammar"
#   make setup PYTHON=python3.12

PYTHON ?= python3
ARGS ?=
TESTS ?=
BIN := .venv/bin
# Written after an installation by pip, which is repeated when pyproject.toml or constraints.txt has changed.
RUNTIME := .venv/.installed-runtime
DEV := .venv/.installed-dev
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: setup train test quick lint types fmt docs notebooks bench check help

setup: $(DEV) ## Install everything into .venv, to train, test and change verydeep

train: $(RUNTIME) ## Train on Fashion-MNIST and write a report (ARGS="--epochs 8")
	.venv/bin/verydeep train fashion-mnist $(ARGS)

test: $(DEV) ## Run the tests (TESTS="tests/architecture -k grammar")
	.venv/bin/python -m pytest $(TESTS)

quick: $(DEV) ## Run all but the slow tests
	.venv/bin/python -m pytest -m "not slow" $(TESTS)

lint: $(DEV) ## Check code style, formatting, and that imports go down the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(DEV) ## Check types with mypy
	$(BIN)/mypy

fmt: $(DEV) ## Format the code, and fix what can be fixed automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DEV) ## Build the site of the docs into build/site, with npm (make test TESTS=tests/docs tests the pages)
	$(BIN)/python docs/site/build_site.py build/site

notebooks: $(DEV) ## Convert the lessons of docs/course to Jupyter notebooks
	$(BIN)/python docs/course/notebooks.py

bench: $(DEV) ## Measure start-up time, memory, and a recipe over five seeds (minutes)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/recipe.py fast --seeds 5

check: lint types test ## Everything that a commit must pass (TESTS=tests/architecture for a part)

help: ## List the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1|/p' Makefile | while IFS='|' read -r name what; do \
	  printf '  make %-9s %s\n' "$$name" "$$what"; done

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/pip
	$(INSTALL) -e .
	@touch $@

# The development installation includes the one for users.
$(DEV): pyproject.toml constraints.txt | $(BIN)/pip
	$(INSTALL) -e '.[dev]'
	@touch $(RUNTIME) $@

$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON). Install Python 3.11 or later, or select one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$($(PYTHON) --version) is too old: verydeep needs 3.11 or later. Select one: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot create a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
