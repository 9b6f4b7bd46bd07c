# Every target sets itself up: a clone, python3 >= 3.11 with venv, and make are enough. Only the last two leave the clone.

PYTHON ?= python3
# How many tests run at a time: most of them wait, so on two cores, too.
PROCESSES ?= 6
# The tests of the parts. Others run the same code as a whole, where a tracer would double the time of each start.
MEASURED := tests/client tests/http/test_*.py tests/metrics tests/processes tests/store tests/unit tests/e2e/test_demo.py
# How long a soak takes, and which numbers its dice begin with: others each time.
SECONDS ?= 600
SEED ?= $(shell date +%s)
# What make bench is told beside: BENCH='--transport tcp --json figures.json'.
BENCH ?=

VENV := .venv
# What examples of docs/hooks.md and docs/web.md need: OpenTelemetry, which FastAPI needs, too. Not for all to see: where that
# is there, redis-py imports it, in every process of a test.
ASIDE := $(VENV)/aside
RUN := $(VENV)/bin/python -m
# Images of containers set it; each of a thousand starts would compile the same files anew.
unexport PYTHONDONTWRITEBYTECODE
# Stamps carry the name of the interpreter, so that another PYTHON= makes .venv anew.
READY_TO_RUN := $(VENV)/.ready-to-run-$(notdir $(PYTHON))
READY_TO_TEST := $(VENV)/.ready-to-test-$(notdir $(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help demo test coverage faults soak bench bench-full bench-check bench-record api lint format clean install uninstall

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20
	@printf '\n  PYTHON=python3.13 chooses another interpreter, PROCESSES=12 runs more tests at a time.\n'

demo: $(READY_TO_RUN) ## Start a daemon, run the sample workflow on it, stop it
	@$(RUN) bananasd demo

test: $(READY_TO_TEST) ## Run all tests
	@$(RUN) pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

coverage: $(READY_TO_TEST) ## Run the tests of its parts, and print the branch coverage, forked children included
	@$(RUN) coverage erase
	@$(RUN) coverage run -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(MEASURED); tests=$$?; \
	$(RUN) coverage combine --quiet && $(RUN) coverage report; coverage=$$?; \
	[ $$tests -ne 0 ] || exit $$coverage; exit $$tests

faults: $(READY_TO_TEST) ## Make every fault in its long form, with default settings, and print how long recoveries took
	@rm -f .fault-figures
	@BANANASD_FAULTS=long BANANASD_FIGURES=$(CURDIR)/.fault-figures $(RUN) pytest \
	  tests/faults tests/store/test_state_machine.py --timeout 1200; faults=$$?; \
	$(RUN) tests.faults.figures .fault-figures; exit $$faults

soak: $(READY_TO_TEST) ## Ten minutes of faults by dice, SECONDS=3600 for an hour, SEED=7 to roll the same ones again
	@BANANASD_SOAK_SECONDS=$(SECONDS) BANANASD_SOAK_SEED=$(SEED) $(RUN) pytest tests/faults/test_soak.py

bench: $(READY_TO_RUN) ## Three minutes: how fast, how soon, how small, beside what the server could; BENCH= says more
	@$(RUN) bench $(BENCH)

bench-full: $(READY_TO_RUN) ## The same, and backlogs up to a million jobs, jobs due at once, mixed loads: ten minutes
	@$(RUN) bench --full $(BENCH)

bench-check: $(READY_TO_RUN) ## 20 seconds: fail if a ratio of the benchmark is under 70 % of the one in bench/recorded.toml
	@$(RUN) bench.check

bench-record: $(READY_TO_RUN) ## Write the ratios of now into bench/recorded.toml
	@$(RUN) bench.check --record

api: $(READY_TO_TEST) ## Build the API reference into build/api; fail on a public name without a docstring
	@$(VENV)/bin/python docs/api.py build/api

lint: $(READY_TO_TEST) ## Check style, format and types
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy bananasd handlers bench

format: $(READY_TO_TEST) ## Format the code and mend what ruff can mend
	$(RUN) ruff check --fix
	$(RUN) ruff format

clean: ## Remove .venv and everything else that was made here
	rm -rf $(VENV) build dist *.egg-info .coverage* .fault-figures .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: ## As root: into /opt/bananasd, with user, units and /etc/bananasd; again to upgrade
	@PYTHON='$(PYTHON)' systemd/install

uninstall: ## As root: remove that, but for configuration and jobs
	@systemd/uninstall

# .venv is kept if it is whole and of the wanted Python's version, else made anew.
define prepare
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo >&2 \
	  "'$(PYTHON)' is not Python 3.11 or newer; name one that is: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo >&2 \
	  "'$(PYTHON)' cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@probe='import pip, sys; print(*sys.version_info[:2])'; \
	wanted=$$($(PYTHON) -c 'import sys; print(*sys.version_info[:2])'); \
	[ "$$($(VENV)/bin/python -c "$$probe" 2>/dev/null)" = "$$wanted" ] || { \
	  echo "making $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "installing '.[$(EXTRAS)]' into $(VENV)"
	@$(RUN) pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	@touch $(STAMPS)
endef

$(READY_TO_RUN): EXTRAS := all
$(READY_TO_RUN): STAMPS := $(READY_TO_RUN)
$(READY_TO_RUN): setup.cfg pyproject.toml
	$(prepare)

$(READY_TO_TEST): EXTRAS := all,dev
$(READY_TO_TEST): STAMPS := $(READY_TO_RUN) $(READY_TO_TEST)
$(READY_TO_TEST): setup.cfg pyproject.toml
	$(prepare)
	@rm -rf $(ASIDE)
	@$(RUN) pip install --quiet --disable-pip-version-check --target $(ASIDE) 'opentelemetry-sdk>=1.27' 'fastapi>=0.115'
