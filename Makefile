# Everything below sets up its own environment: Python >= 3.11 and a package registry are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Fixed so that results do not depend on how many cores a library finds.
export PYTHONHASHSEED := 0

.DEFAULT_GOAL := help
PLUGINS := $(wildcard plugins/*)
DOCUMENTS := $(wildcard docs/*.md)
COG := PYTHONPATH=. $(BIN)/cog -P
.PHONY: help setup demo test lint wheel bench format docs pictures clean

help: ## Show what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt $(PLUGINS:%=%/pyproject.toml)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	$(BIN)/uv pip uninstall --quiet --python $(BIN)/python mgc  # the package's former name
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
		--editable '.[dev]' $(PLUGINS:%=--editable ./%)
	touch $(STAMP)

setup: $(STAMP) ## Make the environment in .venv

demo: setup ## Run the main job on a synthesised dataset
	$(BIN)/mgc demo

test: setup lint ## Lint, then run the tests
	$(BIN)/python -m pytest -n auto --dist worksteal tests
	set -e; for package in $(PLUGINS); do \
		(cd $$package && OMP_NUM_THREADS=1 ../../$(BIN)/python -m pytest -n auto -q); done

lint: setup ## Check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(COG) --check $(DOCUMENTS)

wheel: setup ## Build sdist and wheel in dist/, and try the wheel in a clean environment
	rm -rf dist
	$(BIN)/uv build --quiet --python $(BIN)/python --no-build-isolation --out-dir dist
	MGC_DIST=$(CURDIR)/dist $(BIN)/python -m pytest tests/test_release.py

format: setup ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## Renew what the documents take from the code
	$(COG) -r $(DOCUMENTS)

pictures: setup ## Draw the pictures of the documents anew
	$(BIN)/python docs/make_pictures.py

bench: setup ## Measure speed against named peers
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
		--editable '.[bench]'
	$(BIN)/python -m benchmarks

clean: ## Remove the environment and what tools left behind
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache build dist
