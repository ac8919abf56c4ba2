# Two targets do everything on a fresh machine: `make lab` and `make test`. Both make the same environment.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS = 1

# OpenRLHF asks for a GPU stack; its client needs none of it. So its package is unpacked alone. It is Python only,
# in a wheel for Python 3.11, which any other reads as well.
OPENRLHF := build/openrlhf-0.11.2

.PHONY: env test test-openrlhf cluster-env test-cluster lint pytest lab figures clean

env: .venv/.made

# pip would compile every module of every package; the tests import a small part of them, and compile that.
PIP_INSTALL := -m pip install --quiet --no-compile

# Made again only when what it is made from changes.
.venv/.made: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt torch
	$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[dev]'
	touch $@

# Two workers: CI has two cores. Stealing, because a few tests take longer than a hundred others.
# Beside them the linters, as pyright has one core's work for a minute.
test: env
	$(MAKE) --no-print-directory --jobs 2 lint pytest

pytest: env
	$(BIN)/python -m pytest -n 2 --dist worksteal

# OpenRLHF's own client, as released, against our service. `make test` skips it.
test-openrlhf: env $(OPENRLHF)/openrlhf/utils/agent.py
	RALIGN_OPENRLHF=$(OPENRLHF)/openrlhf $(BIN)/python -m pytest tests/serving/test_openrlhf.py

$(OPENRLHF)/openrlhf/utils/agent.py: | .venv/.made
	$(BIN)/python $(PIP_INSTALL) --no-deps --upgrade --target $(OPENRLHF) --only-binary :all: \
		--python-version 3.11 --implementation cp --platform manylinux1_x86_64 openrlhf==0.11.2

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

# verl on Ray, on CPU, in an environment of its own: its pins fight with those of TRL. The usual torch for Linux brings in
# gigabytes of CUDA, so it is the CPU build or none.
CLUSTER := .venv-cluster/bin
CPU_TORCH := torch==2.13.0+cpu

cluster-env:
	@if $(CLUSTER)/python -c 'import torch' 2> /dev/null \
	    || { $(PYTHON) -m venv .venv-cluster && $(CLUSTER)/python $(PIP_INSTALL) '$(CPU_TORCH)'; }; then \
	    $(MAKE) --no-print-directory .venv-cluster/.made; \
	else \
	    echo "test-cluster will be skipped: pip finds no $(CPU_TORCH)"; \
	fi

test-cluster: cluster-env
	@if [ -e .venv-cluster/.made ]; then \
	    $(CLUSTER)/python -m pytest -m cluster tests/cluster; \
	else \
	    echo "test-cluster skipped"; \
	fi

.venv-cluster/.made: pyproject.toml constraints-verl.txt
	$(CLUSTER)/python $(PIP_INSTALL) --constraint constraints-verl.txt --editable '.[serve,verl]' \
	    hypothesis pytest pytest-asyncio TransferQueue
	touch $@

lab: env
	$(BIN)/ralign lab

# The tables of README.md and docs/ from benchmarks/results. A test fails where they differ.
figures: env
	PYTHONPATH=src:. $(BIN)/python -m benchmarks.figures

clean:
	rm -rf .venv .venv-cluster build runs
