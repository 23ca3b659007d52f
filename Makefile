# make demo | test | test-deep | test-pythons | fuzz | soak | lint | bench | coverage | man | pictures | clean
# Everything runs in .venv, which is made on first use and renewed when pyproject.toml changes.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# Without compiled files each program that a test starts would compile the packages again.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The first Python on PATH that is new enough; `make PYTHON=/path/to/python` overrides.
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
# One more than the cores of a small machine, because many tests wait for another program;
# arguments of pytest go into ARGS.
JOBS ?= 3
ARGS ?=
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -q $(ARGS)
DEMO ?= fixtures/outofproc/sessions/streams.jsonl

.PHONY: help venv demo test test-deep test-pythons fuzz soak lint bench coverage man pictures clean

help:
	@grep -m1 '^# make' Makefile

venv: $(STAMP)

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and none was found" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV); "$(PYTHON)" -m venv $(VENV); } \
	    || { rm -rf $(VENV); echo "no venv module: install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --config-settings editable_mode=compat --editable '.[dev]'
	@touch $(STAMP)

# A recorded session, then live ones.
demo: $(STAMP)
	$(BIN)/psrp decode $(DEMO)
	@$(BIN)/python -m tests.examples.demo

test: $(STAMP)
	$(PYTEST)

test-deep: $(STAMP)
	HYPOTHESIS_PROFILE=deep $(PYTEST)

# The tests of psrp and sshsub under each other Python from 3.11 on that is found, the system's
# included, because a user of a bare machine has that one.
CORE_TESTS := tests/clixml tests/psrp tests/properties tests/strategies tests/sshsub
test-pythons: $(STAMP)
	@own=$$($(BIN)/python -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'); \
	for python in /usr/bin/python3 python3.11 python3.12 python3.13 python3.14; do \
	    python=$$(command -v "$$python") || continue; \
	    version=$$("$$python" -c 'import sys; v = sys.version_info; v < (3, 11) or print("%d.%d.%d" % v[:3])' 2>/dev/null) || continue; \
	    venv=build/pythons/$$version; \
	    if [ -z "$$version" ] || [ "$$version" = "$$own" ] || [ -e "$$venv/.tested" ]; then continue; fi; \
	    echo "== $$python ($$version)"; \
	    "$$python" -m venv "$$venv" || { echo "skipped: no venv module" >&2; rm -rf "$$venv"; continue; }; \
	    "$$venv/bin/python" -m pip install --quiet --disable-pip-version-check '.[dev]' \
	        || { echo "skipped: the requirements do not install" >&2; rm -rf "$$venv"; continue; }; \
	    "$$venv/bin/python" -m pytest -n $(JOBS) -q -p no:cacheprovider $(ARGS) $(CORE_TESTS); \
	    touch "$$venv/.tested"; \
	done; rm -f build/pythons/*/.tested

# RUNS inputs for each target, or for the TARGETS that are named; coverage-guided where atheris
# installs. An input that breaks a promise is saved in build/fuzz.
RUNS ?= 20000
TARGETS ?=
fuzz: $(STAMP)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check '.[fuzz]' || \
	    echo "no atheris: inputs are mutated without coverage" >&2
	$(BIN)/python -m tests.fuzz $(TARGETS) --runs $(RUNS) $(ARGS)

# One server process with 200 clients on both carriers for an hour; ARGS="--seconds 60" is shorter.
soak: $(STAMP)
	$(BIN)/python -m tests.soak $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m bench.run $(ARGS)

coverage: $(STAMP)
	$(PYTEST) --cov --cov-report=term-missing

man: $(STAMP)
	$(BIN)/python -m psremoting.cli.manual build/man

# The pictures of the README, drawn from the running program.
pictures: $(STAMP)
	$(BIN)/python -m tests.examples.pictures spec-notes/pictures

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
