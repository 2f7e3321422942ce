# Everything a developer or a build machine does with Dovetail. `make` alone lists it.
# Needed beforehand: Python 3.11 or newer, make, and a package index that pip can reach.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TESTS  ?= tests
JOBS   ?= 2
ROUNDS ?= 5

.DEFAULT_GOAL := help
.PHONY: help setup demo test conformance explore test-kafka check format lock up down clean

help: ## Show this list
	@echo "Usage: make TARGET [PYTHON=python3.12]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Make the virtual environment from requirements.lock (at once when nothing changed)
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Dovetail needs Python 3.11 or newer; '$(PYTHON)' is $$(command -v "$(PYTHON)" >/dev/null && "$(PYTHON)" --version 2>&1 || echo missing)." >&2; \
	  echo "Install one, or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.12" >&2; \
	  exit 1; }
	@"$(PYTHON)" .ci/setup.py $(VENV)

demo: setup ## Play the whole path on this machine (CHAOS=1: kill the worker midway; KEEP=1: leave it running; ARGS=...)
	@$(BIN)/dovetail demo $(if $(CHAOS),--chaos) $(if $(KEEP),--keep) $(ARGS)

test: setup ## Run the tests on the embedded broker (TESTS=tests/streams, JOBS=0: not in parallel, ARGS=...)
	$(BIN)/pytest -n $(JOBS) $(TESTS) $(ARGS)

conformance: setup ## Let other vendors' clients judge the simulated systems and the broker (also part of make test)
	$(BIN)/pytest -n $(JOBS) tests/conformance $(ARGS)

test-kafka: setup ## Run the tests that need a broker on Apache Kafka (Docker, or Java 17 and Maven)
	$(BIN)/python -m tests.kafka_server
	$(BIN)/pytest -n $(JOBS) -m broker --broker=kafka $(TESTS) $(ARGS)

explore: setup ## Look for new counter-examples: the laws and fuzzers with examples at random (ROUNDS=5, ARGS=...)
	for round in $$(seq $(ROUNDS)); do \
	  $(BIN)/pytest -n $(JOBS) -q -m "not broker" --hypothesis-profile=explore \
	    $$(grep -rlE 'hypothesis|schemathesis' --include='test_*.py' $(TESTS)) $(ARGS) || exit 1; \
	done

check: setup ## Lint, check the format, the types and the layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code and apply the safe fixes
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

lock: setup ## Resolve pyproject.toml anew into requirements.lock (UPGRADE=1: to the newest versions)
	$(BIN)/python .ci/lock.py $(if $(UPGRADE),--upgrade)

up: ## Start Apache Kafka, the worker, the simulated systems, Prometheus and Grafana (Docker)
	docker compose up --build

down: ## Stop what `make up` started; its volumes stay
	docker compose down

clean: ## Remove the virtual environment and every cache
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
