.DEFAULT_GOAL := help
.PHONY: help setup run test test-faults lint bench screenshots translations

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

help:  ## Say what can be made
	@awk -F ':.*##' '/^[a-z-]+:.*##/ {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Make the environment from the lock file

# uv comes from PyPI into its own corner of the environment, so that a bare Python is enough.
$(READY): uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Parecer needs Python 3.11 or newer: make PYTHON=/path/to/python"; exit 1; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@test -x $(VENV)/bin/uv || { $(VENV)/bin/python -m ensurepip >/dev/null 2>&1; \
		$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"; }
	@UV_PROJECT_ENVIRONMENT=$(VENV) $(VENV)/bin/uv sync --frozen --inexact --quiet --no-dev --extra postgres --extra parquet
	@touch $@

$(VENV)/.dev: $(READY)
	@UV_PROJECT_ENVIRONMENT=$(VENV) $(VENV)/bin/uv sync --frozen --inexact --quiet --all-extras
	@touch $@

run: $(READY)  ## Prepare and serve on http://127.0.0.1:5000 (PORT, HOST, DATA_DIR move it)
	@exec $(VENV)/bin/python run.py

test: $(VENV)/.dev  ## Run every test that can run on this machine
	@$(VENV)/bin/python -m pytest -n 2

test-faults: $(VENV)/.dev  ## Run the long trials of the record, which take an hour or so
	@$(VENV)/bin/python -m pytest -m long --long -n 0 -s

lint: $(VENV)/.dev  ## Check style, types and templates
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy && $(VENV)/bin/djlint templates --lint --quiet

bench: $(VENV)/.dev  ## Measure speed side by side with the peers (ARGS="--rounds 1" and the like)
	@$(VENV)/bin/python -m bench $(ARGS)

screenshots: $(VENV)/.dev  ## Take the pictures of the docs anew
	@$(VENV)/bin/python -m tests.browser.screenshots

translations: $(VENV)/.dev  ## Take new texts into the catalogues, and compile them
	@$(VENV)/bin/python -m tests.write_translations
