# Two targets do everything on a fresh machine: `make lab` and `make test`. Both make the same environment.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS = 1

.PHONY: env test lint lab clean

env: .venv/.made

# Made again only when what it is made from changes.
.venv/.made: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

test: env lint
	$(BIN)/python -m pytest

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

lab: env
	$(BIN)/ralign lab

clean:
	rm -rf .venv runs
