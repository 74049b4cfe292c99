# One command each. What they set up goes into backend/.venv, frontend/node_modules and frontend/dist, and is made once.
# Variables on the command line reach the programs: make run PORT=9000, make PYTHON=python3.12 install.

.DEFAULT_GOAL := help
.PHONY: help install dev-install run dev test test-long check api screenshots bench bench-smoke bench-curves bench-soak bench-replicas bench-conversations bench-page lock clean

# Run from backend/, where .env and the relative paths of the settings start.
PY := cd backend && .venv/bin/python -m
PYTEST := CHROMIUM="$$(sh scripts/chromium.sh)" && export CHROMIUM && $(PY) pytest

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 28

install: ## Set up the service with its embedded model, and build its web page
	@sh scripts/set-up.sh run
	@sh scripts/page.sh build

dev-install: ## Set up also what checks and tests it
	@sh scripts/set-up.sh dev
	@sh scripts/page.sh packages

# Without a page that can be built it serves all the same, and tells browsers what to type; Ctrl+C (128 and above) ends it.
run: ## Set up and serve on port 8000 (PORT=..., HOST=...)
	@sh scripts/set-up.sh run
	@sh scripts/page.sh build || [ $$? -lt 128 ]
	@cd backend && exec .venv/bin/python -m app.cli serve

dev: ## Work on it: the page from Vite on port 5173, the service behind it on 8000, both made anew when a file changes
	@sh scripts/set-up.sh run
	@sh scripts/dev.sh

# A worker for each core; more than four would crowd a small machine's memory with browsers. A module stays with one
# worker, for the service that its tests share, and modules come in the order of their names: the short ones last.
SIDE_BY_SIDE := --numprocesses logical --maxprocesses 4 --dist loadscope --no-loadscope-reorder
test: check ## Set up, check and test everything
	@echo "== vitest"
	@sh scripts/page.sh npm test
	@sh scripts/page.sh build
	@echo "== pytest"
	@$(PYTEST) $(SIDE_BY_SIDE)

test-long: dev-install ## The tests that take long
	@echo "== pytest, the long ones"
	@$(PYTEST) -m long --timeout 3600

CHECKED := --config pyproject.toml . ../bench
check: dev-install ## Format, lint, types, and who may import whom; of the page too
	@echo "== ruff check"
	@$(PY) ruff check $(CHECKED)
	@echo "== ruff format --check"
	@$(PY) ruff format --check $(CHECKED)
	@echo "== basedpyright"
	@cd backend && .venv/bin/basedpyright
	@echo "== lint-imports"
	@cd backend && .venv/bin/lint-imports
	@echo "== the page"
	@sh scripts/page.sh npm run check

api: dev-install ## Tell the page of a change of the API: frontend/openapi.json and its types
	@$(PY) app.cli openapi >../frontend/.stamp.api && mv ../frontend/.stamp.api ../frontend/openapi.json
	@sh scripts/page.sh npm run --silent api

screenshots: dev-install ## Make the pictures of the README again
	@sh scripts/page.sh build
	@CHROMIUM="$$(sh scripts/chromium.sh)" && export CHROMIUM && $(PY) tests.support.screenshots

# Run from here, so that bench/ is found beside backend/. See bench/README.md; `bench` takes more than an hour.
BENCH := PYTHONPATH=backend backend/.venv/bin/python -m bench $(if $(REPEATS),--repeats $(REPEATS)) $(if $(PEERS),--peers $(PEERS))
bench: dev-install ## Measure speed beside others, curves, overload and replicas (REPEATS=3, PEERS=nginx,service)
	@$(BENCH)

bench-smoke: dev-install ## The same in a minute or two, which shows that it works and not more
	@$(BENCH) --size smoke --folder bench/.smoke

bench-curves: dev-install ## Measure only what a token costs while one thing grows (CURVES=length,readers)
	@$(BENCH) curves $(if $(CURVES),--curves $(CURVES))

bench-soak: dev-install ## Measure only minutes at twice the capacity
	@$(BENCH) soak

bench-replicas: dev-install ## Measure only what PostgreSQL and several replicas cost
	@$(BENCH) replicas

# A million messages take ten minutes and 4 GB in $TMPDIR.
SIZES := 1000 10000 100000 1000000
bench-conversations: dev-install ## Measure search and its index (SIZES="1000 10000")
	@PYTHONPATH=backend backend/.venv/bin/python -m bench.conversations $(SIZES)

bench-page: dev-install ## Measure the page in a browser: a long conversation opened, a long answer streamed
	@sh scripts/page.sh build
	@CHROMIUM="$$(sh scripts/chromium.sh)" PYTHONPATH=backend backend/.venv/bin/python -m bench.page

# --universal: one lock for every system and Python. Existing pins stay unless UPGRADE=--upgrade.
COMPILE := uv pip compile --universal --generate-hashes --python-version 3.11 --quiet $(UPGRADE)
lock: ## Compile requirements*.in again (UPGRADE=--upgrade for the newest versions)
	@sh scripts/set-up.sh lock
	@cd backend && PATH="$$PATH:$$PWD/.venv/bin" UV_SYSTEM_CERTS=1 UV_CUSTOM_COMPILE_COMMAND="make lock" && export PATH UV_SYSTEM_CERTS UV_CUSTOM_COMPILE_COMMAND && \
	for name in requirements requirements-local requirements-otel requirements-postgres requirements-web requirements-setup requirements-dev; do \
		echo "== $$name.txt"; $(COMPILE) $$name.in -o $$name.txt || exit 1; \
	done; \
	for peer in ../bench/peers/*/requirements.in; do \
		echo "== $$peer"; $(COMPILE) "$$peer" -o "$${peer%.in}.txt" || exit 1; \
	done

clean: ## Remove all that was set up; the database stays
	rm -rf frontend/node_modules frontend/dist frontend/.stamp frontend/.stamp.new frontend/.building frontend/.replaced frontend/.page.lock
	rm -rf bench/.peers bench/.smoke backend/.venv backend/.venv.lock backend/tests/clients/node_modules backend/.cache backend/.pytest_cache backend/.ruff_cache backend/.hypothesis backend/.import_linter_cache
	find backend -name __pycache__ -type d -prune -exec rm -rf {} +
