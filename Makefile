# `make deploy` and `make test` set up everything they need; `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .cache/uv/bin/uv
RUN := $(UV) run --no-sync
export UV_PYTHON_DOWNLOADS := never
# What is started hundreds of times starts from its bytecode, also where a shell says to keep none.
export PYTHONDONTWRITEBYTECODE :=

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'error: Python 3.11 or later is needed: make PYTHON=python3.12 deploy'; exit 1; }
	@echo '-- fetching uv $(UV_VERSION)'
	@$(PYTHON) -m venv .cache/uv || \
	  { echo 'error: the venv module is missing; on Debian: apt-get install python3-venv'; exit 1; }
	@.cache/uv/bin/pip install --quiet --disable-pip-version-check 'uv==$(UV_VERSION)'

.PHONY: compiler
compiler:
	@command -v c++ >/dev/null || \
	  { echo 'error: a C++ compiler is needed to build QuickFIX; on Debian: apt-get install g++'; exit 1; }

.venv/.runtime: pyproject.toml uv.lock | $(UV) compiler
	@echo '-- installing the packages (QuickFIX is compiled once: about 3 minutes, then cached)'
	@$(UV) sync --locked --python '$(PYTHON)' --extra apps --extra local --no-default-groups --inexact --compile-bytecode
	@touch $@

.venv/.complete: .venv/.runtime
	@$(UV) sync --locked --python '$(PYTHON)' --all-extras --all-groups --compile-bytecode
	@touch $@

.PHONY: setup
setup: .venv/.complete ## make the Python environment, with the tools of a developer

.PHONY: deploy
deploy: .venv/.runtime ## bring up the daily tier on this machine, and show where its page is
	@$(RUN) opsctl toolchain install
	@$(RUN) opsctl deploy --tier daily

.PHONY: test
test: setup ## run every check and the whole suite
	@$(RUN) python -m tests.support.prepare
	@$(MAKE) check
	@$(MAKE) --keep-going --jobs 1 suite

# One after the other, each also where one before it failed: all that fails is seen in one run.
.PHONY: suite parts chains containers machines-and-cloud
suite: parts chains containers machines-and-cloud
parts: setup
	@$(RUN) pytest --numprocesses 2 --dist loadfile --ignore tests/e2e
chains: setup
	@$(RUN) pytest tests/e2e/daily tests/e2e/hot tests/e2e/branches
containers: setup
	@$(RUN) pytest tests/e2e/docker tests/e2e/hosts
machines-and-cloud: setup
	@$(MAKE) --keep-going --jobs 2 --output-sync=target machines cloud

# Side by side: neither is about latency, and both wait more than they work. Each has Docker Engines
# with bridges of their own, so the second is in a network of its own (as root: no other user can
# start an engine). Nothing can be fetched there; tests/integration/images has made all layers by then.
.PHONY: machines cloud
machines: setup
	@$(RUN) pytest tests/e2e/machines
cloud: setup
	@$(if $(filter 0,$(shell id -u)),unshare --net sh -c 'ip link set lo up && exec "$$@"' apart) \
	  $(RUN) pytest tests/e2e/cloud

.PHONY: boxes
boxes: setup ## provision a booted server from rack to trading and back, its power cut on the way; drill a rack and a cloud
	@$(RUN) python -m tests.support.prepare
	@$(RUN) pytest tests/e2e/boxes tests/e2e/racks tests/e2e/clouds

.PHONY: check
check: setup ## lint, types, import rules, alert rules, licences, generated docs, playbooks
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports
	@$(RUN) python -m tests.support.rules
	@$(RUN) python -m tests.support.licences
	@$(RUN) python -m tests.support.commands
	@$(RUN) python -m tests.support.profiles
	@$(RUN) python -m tests.support.guardrails
	@$(RUN) yamllint --strict playbooks
	@ANSIBLE_LIBRARY=playbooks/library ANSIBLE_FILTER_PLUGINS=playbooks/filter_plugins \
	  $(RUN) ansible-lint --offline -q playbooks

.PHONY: bench
bench: setup ## measure the figures of the README on this machine
	@$(RUN) python -m tests.bench

.PHONY: soak
soak: setup ## repeats and matrices too long for the suite; resumable; result in docs/evidence
	@$(RUN) python -m tests.soak
	@$(RUN) python -m tests.soak.watch
	@$(RUN) python -m tests.soak.drills
	@$(RUN) python -m tests.soak.long
	@$(RUN) python -m tests.soak.boxes
	@$(RUN) python -m tests.soak.simulator
	@$(RUN) python -m tests.soak.clouds

.PHONY: docs
docs: setup ## write the generated parts of the docs (schemas, commands, profiles, guardrails)
	@$(RUN) python -m opsctl.schemas --write
	@$(RUN) python -m tests.support.commands --write
	@$(RUN) python -m tests.support.profiles --write
	@$(RUN) python -m tests.support.guardrails --write

.PHONY: clean
clean: ## remove what was built here; deployed environments stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build

.PHONY: help
help: ## show this
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
