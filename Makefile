# Everything a newcomer needs is `make demo` and `make test`; `make help` lists the rest.

# The first of these that runs and is new enough.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
BACK   := .venv-sdks

.PHONY: help demo test sdks check lint types floors bench kill format clean
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## set everything up and watch the gate at work
	@$(BIN)/heso demo

test: $(READY) ## set everything up and run every test
	@$(BIN)/python -m pytest -q -n auto --dist loadgroup

sdks: $(BACK)/.ready ## every test of wrapped clients, on the major versions before the newest
	@$(BACK)/bin/python -m pytest -q -n auto --dist loadgroup $(addprefix tests/integrations/test_,$(addsuffix .py,\
	  leaves wrapping outcomes instrument websockets))

check: $(READY) lint types floors ## lint, types, floors, and every test with its coverage
	@$(BIN)/python -m pytest -q -n auto --dist loadgroup --cov --cov-report=term:skip-covered

lint: $(READY) ## ruff: format and rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(READY) ## mypy, strict
	@$(BIN)/mypy

floors: $(READY) ## which package may import which (import-linter)
	@$(BIN)/lint-imports --no-logo

kill: $(READY) ## kill it at every step, on failing disks, with the power cut; minutes long
	@$(BIN)/python -m tests.kill.suite --kills 2000 --disks 600

bench: $(READY) ## ratios against the floor and the reference; writes bench/RESULTS.md
	@$(BIN)/python -m bench.run

format: $(READY) ## let ruff mend what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ## remove the environment and every cache
	rm -rf $(VENV) $(BACK) bench/.envs .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

$(BACK)/.ready: $(READY)
	@$(BIN)/python -m venv $(BACK)
	@$(BACK)/bin/python -m pip install --quiet --disable-pip-version-check -e . 'openai[realtime]<3' 'anthropic<2' \
	  pytest pytest-asyncio pytest-xdist
	@touch $@

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: sudo apt-get install python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq python3-venv; } || \
	  { echo "Python's venv module is needed: sudo apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
