# `make help` lists the targets. Everything is installed into .venv; PYTHON chooses the interpreter that makes it.
# Where a conda environment is active that this folder is installed into (environment.yml), that one is used as it is.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$python && break; done)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
CONDA_HAS := $(if $(CONDA_PREFIX),$(shell cat "$(CONDA_PREFIX)"/lib/python3*/site-packages/*vit_tutorial.pth 2>/dev/null))
ifeq ($(CONDA_HAS),$(CURDIR))
BIN := $(CONDA_PREFIX)/bin
INSTALLED :=
else
BIN := .venv/bin
INSTALLED := .venv/installed
endif
export PYTHONUNBUFFERED = 1

.DEFAULT_GOAL := help
.PHONY: help book bundle lint test lab notebooks package train
.DELETE_ON_ERROR:

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1|/p' Makefile | while IFS='|' read -r target text; do printf '  %-16s %s\n' "$$target" "$$text"; done

book: $(INSTALLED)  ## run every chapter and render the website
	@$(BIN)/python book/build.py

lint: $(INSTALLED)  ## form: ruff, mypy, and the book's spelling, links, titles and figures
	@$(BIN)/python -m ruff check --quiet .
	@$(BIN)/python -m ruff format --check --quiet .
	@$(BIN)/python -m mypy
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q book/lint

test: lint  ## lint, then every test: units, all chapters with their outputs, the website in a browser
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -rs -n 2 --dist loadfile --nbval --nbval-sanitize-with tests/nbval.cfg tests notebooks

lab: $(INSTALLED)  ## work through the chapters in JupyterLab, on your own copies in lab/
	@$(BIN)/python book/lab.py

notebooks: $(INSTALLED)  ## execute the chapters whose code has changed (CHAPTER=03 for one, FORCE=1 for all)
	@$(BIN)/python book/execute.py $(CHAPTER)

package: $(INSTALLED)  ## export the marked cells of the chapters into vit_tutorial/
	@$(BIN)/python book/package.py

bundle: $(INSTALLED)  ## bundle the explorer's JavaScript modules for widget and page
	@$(BIN)/python book/bundle.py

train: $(INSTALLED)  ## train the small model on the embedded data, as chapters 01 and 08 use it
	@$(BIN)/python -m vit_tutorial train --config stacks --out runs/stacks

.venv/installed: pyproject.toml constraints.txt
	@$(or $(PYTHON),false) -c '$(NEW_ENOUGH)' 2>/dev/null || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@echo "installing into .venv (PyTorch is large: this takes some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]' --constraint constraints.txt
	@touch $@
