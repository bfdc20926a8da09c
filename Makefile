# A fresh machine needs three things: Python 3.11 to 3.13, git and make. Everything else is set up here.
#
#   make demo     set up, then run the whole loop once on a small model
#   make test     set up, then run every test: unit, integration, browser, e2e
#   make check    ruff, formatting and mypy
#
# PyPI's torch for Linux brings several GB of CUDA libraries. On a machine without a GPU, name the package index
# of torch's CPU builds (pytorch.org's install page has it) the first time:  make demo TORCH_INDEX=https://…
# Choose another Python with PYTHON=…, and pass the demo's own options with ARGS="…".

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip
# The slowest first: two workers take a file each, and the last one should be short.
SUITES := $(wildcard tests/e2e tests/browser tests/integration tests/unit)

.PHONY: help demo test unit check format setup clean

help:
	@sed -n '2,10s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.installed-all
	$(BIN)/prefloop demo $(ARGS)

# pytest as a console script: `python -m pytest` would put the root on sys.path, where evaluate/ shadows Hugging Face's.
test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(SUITES) $(ARGS)

unit: $(VENV)/.installed-dev
	$(BIN)/pytest tests/unit $(ARGS)

# mypy resolves the root as the package `prefloop` through a link, since it does not know setuptools' mapping.
check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@mkdir -p .types && ln -sfn .. .types/prefloop
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(VENV)/.installed-dev

clean:
	rm -rf $(VENV) .types build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# A `python3.12` on the path need not run (version managers leave stubs), so each candidate is tried.
$(BIN)/python:
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3 python; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; then \
	    echo "setting up $(VENV) with $$($$python --version)"; exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo "No Python 3.11, 3.12 or 3.13 with venv and ensurepip was found. Install one (Debian and Ubuntu:" \
	     "apt-get install python3 python3-venv), or name one: make PYTHON=/path/to/python3.11 …" >&2; exit 1

# torch first and by itself, so that TORCH_INDEX applies to nothing else.
$(VENV)/.torch: constraints.txt | $(BIN)/python
	@echo "installing torch and prefloop into $(VENV): a few minutes of downloads, this once"
	$(PIP) install --quiet -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	@touch $@

$(VENV)/.installed-all: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) install --quiet -c constraints.txt -e ".[all]"
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) install --quiet -c constraints.txt -e ".[dev]"
	@touch $(VENV)/.installed-all $@
