# One command each. Everything they set up goes into backend/.venv and is made once.
# Variables on the command line reach the programs: make run PORT=9000, make PYTHON=python3.12 install.

.DEFAULT_GOAL := help
.PHONY: help install dev-install run test test-long check bench-conversations lock clean

# Run from backend/, where .env and the relative paths of the settings start.
PY := cd backend && .venv/bin/python -m
PYTEST := CHROMIUM="$$(sh scripts/chromium.sh)" && export CHROMIUM && $(PY) pytest

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 28

install: ## Set up the service and its embedded model, nothing else
	@sh scripts/set-up.sh run

dev-install: ## Set up also what checks and tests it
	@sh scripts/set-up.sh dev

run: install ## Set up and serve on port 8000 (PORT=..., HOST=...)
	@cd backend && exec .venv/bin/python -m app.cli serve

test: check ## Set up, check and test everything
	@echo "== pytest"
	@$(PYTEST)

test-long: dev-install ## The tests that take long
	@echo "== pytest, the long ones"
	@$(PYTEST) -m long --timeout 3600

CHECKED := --config pyproject.toml . ../bench
check: dev-install ## Format, lint, types, and who may import whom
	@echo "== ruff check"
	@$(PY) ruff check $(CHECKED)
	@echo "== ruff format --check"
	@$(PY) ruff format --check $(CHECKED)
	@echo "== basedpyright"
	@cd backend && .venv/bin/basedpyright
	@echo "== lint-imports"
	@cd backend && .venv/bin/lint-imports

# Run from here, so that bench/ is found beside backend/. A million messages take ten minutes and 4 GB in $TMPDIR.
SIZES := 1000 10000 100000 1000000
bench-conversations: dev-install ## Measure search and its index (SIZES="1000 10000")
	@PYTHONPATH=backend backend/.venv/bin/python -m bench.conversations $(SIZES)

# --universal: one lock for every system and Python. Existing pins stay unless UPGRADE=--upgrade.
COMPILE := uv pip compile --universal --generate-hashes --python-version 3.11 --quiet $(UPGRADE)
lock: ## Compile requirements*.in again (UPGRADE=--upgrade for the newest versions)
	@sh scripts/set-up.sh lock
	@cd backend && PATH="$$PATH:$$PWD/.venv/bin" UV_SYSTEM_CERTS=1 UV_CUSTOM_COMPILE_COMMAND="make lock" && export PATH UV_SYSTEM_CERTS UV_CUSTOM_COMPILE_COMMAND && \
	for name in requirements requirements-local requirements-otel requirements-setup requirements-dev; do \
		echo "== $$name.txt"; $(COMPILE) $$name.in -o $$name.txt || exit 1; \
	done

clean: ## Remove all that was set up; the database stays
	rm -rf backend/.venv backend/.venv.lock backend/tests/clients/node_modules backend/.cache backend/.pytest_cache backend/.ruff_cache backend/.hypothesis backend/.import_linter_cache
	find backend -name __pycache__ -type d -prune -exec rm -rf {} +
