# finrec: `make run` starts the app, `make test` runs every test; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev browser port run test check format bench bench-peers clean

PORT ?= 8501
WORKERS ?= auto
VENV_PYTHON := .venv/bin/python

# The first Python that starts and is new enough. It is really started, because a name on PATH may
# be a launcher of a version that is not installed. An environment made before keeps its own.
define BOOTSTRAP
for python in $(PYTHON) $(VENV_PYTHON) python3.11 python3.12 python3.13 python3 python; do \
	if "$$python" -I -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		exec "$$python" -I finrec/bootstrap.py
endef
define OR_SAY_SO
	; fi; \
done; \
echo "finrec needs Python 3.11 or newer and found none. Install it (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.11), or name one: make $@ PYTHON=/path/to/python3.11" >&2; \
exit 2
endef

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install finrec's requirements into .venv (run and test do it themselves)
	@$(BOOTSTRAP) setup $(OR_SAY_SO)

setup-dev:
	@$(BOOTSTRAP) setup --dev $(OR_SAY_SO)

browser: setup-dev
	@$(VENV_PYTHON) -I finrec/bootstrap.py browser

port: setup
	@$(VENV_PYTHON) -I finrec/bootstrap.py port $(PORT)

run: setup port ## start the app on http://127.0.0.1:8501 (another port: make run PORT=8600)
	@$(VENV_PYTHON) -m finrec demo
	@echo "finrec: http://127.0.0.1:$(PORT) (stop it with Ctrl-C)"
	@exec $(VENV_PYTHON) -m streamlit run app.py --server.address 127.0.0.1 --server.port $(PORT) --server.headless true

test: setup-dev browser ## run every test (one file: make test ARGS=tests/test_schema.py)
	@$(VENV_PYTHON) -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile $(ARGS)

check: setup-dev ## lint, format, types and architecture, in under a minute
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m mypy finrec $(wildcard app.py pages/*.py)
	@$(VENV_PYTHON) -m pytest -q tests/test_architecture.py

format: setup-dev ## rewrite the code in the project's format
	@$(VENV_PYTHON) -m ruff check --fix .
	@$(VENV_PYTHON) -m ruff format .

bench: setup-dev ## measure the speed of this machine and of finrec on it
	@$(VENV_PYTHON) -m tests.benchmarks $(ARGS)

bench-peers: setup-dev ## the same beside RecTools' SASRec, in an environment of its own
	@test -x .venv/peers/bin/python || $(VENV_PYTHON) -m venv .venv/peers
	@.venv/peers/bin/python -m pip install -q torch==2.13.0
	@.venv/peers/bin/python -m pip install -q "rectools[torch]==0.19.0"
	@$(VENV_PYTHON) -m tests.benchmarks.peers

clean: ## remove the environment and the tools' caches; data/ and models/ stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
