# Works with GNU make 3.81 (macOS) and later, and with any POSIX sh.

PYTHON ?= python3
VENV ?= .venv
RUNS ?= runs/embedded

BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The steps of `run` and `test` have an order, whatever -j says.
.NOTPARALLEL:
.PHONY: help env run test lint unit coverage nbval book browser notebooks bench zip address adopt clean

help: ## List the targets
	@echo "Usage: make <target> [PYTHON=python3.12] [VENV=.venv]"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' Makefile

env: $(VENV)/.stamp-packages ## Create .venv with everything below (a second call does nothing)

run: env ## Train and evaluate every embedded category, then build the book from that run
	@echo "== run 1/4: embedded data"
	$(BIN)/aesc data
	@echo "== run 2/4: one notebook per category"
	$(BIN)/aesc sweep all --preset quick --out $(RUNS)
	@echo "== run 3/4: table"
	$(BIN)/aesc table $(RUNS)
	@echo "== run 4/4: book"
	$(BIN)/python -m tools.build_book --runs $(RUNS)

test: lint unit nbval book browser ## Everything that must pass: the next five targets in this order

lint: env ## Check style and layout with ruff, types with mypy
	@echo "== lint"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: env ## Run the unit tests
	@echo "== unit tests"
	$(BIN)/python -m pytest --ignore tests/browser

coverage: env ## Run the unit tests and say which lines none of them runs
	@echo "== coverage"
	$(BIN)/python -m coverage run -m pytest --ignore tests/browser
	$(BIN)/python -m coverage report

nbval: env ## Execute every notebook and compare the outputs of its checked cells
	@echo "== notebooks"
	$(BIN)/python -m pytest --nbval-lax --nbval-current-env notebooks/*.ipynb

book: env ## Build the book from the committed notebooks; a warning is an error
	@echo "== book"
	$(BIN)/python -m tools.build_book

browser: env ## Open the built book in a headless browser: offline, sliders, search, accessibility
	@echo "== browser"
	$(BIN)/python -m pytest tests/browser

notebooks: env ## Execute the notebooks that are stale, and only those
	$(BIN)/python -m tools.notebooks

bench: env ## Measure speed against plain references (about three hours; nothing else should run)
	$(BIN)/python -m benchmarks

zip: book ## Pack the built book into dist/aesc-book.zip, to be read without a network
	$(BIN)/python -c "import shutil; print(shutil.make_archive('dist/aesc-book', 'zip', '_build/html'))"

address: env ## Show the address of the repository, or set it in all pages with URL=...
	$(BIN)/python -m tools.address $(URL)

adopt: env ## Make the last `make run` the committed one: notebooks, records, results table
	$(BIN)/python -m tools.notebooks --adopt $(RUNS)

clean: ## Remove what was built; the environment and runs/ stay
	rm -rf _build dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

# An existing environment is kept, and completed where its creation was interrupted.
$(VENV)/.stamp-venv:
	@[ -x $(BIN)/python ] || \
	  $(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
	  echo "make: '$(PYTHON)' is not Python 3.10 or newer with the modules venv and ensurepip;" \
	       "install it (Debian, Ubuntu: apt install python3-venv) or name another one:" \
	       "make PYTHON=python3.12" >&2; exit 1; }
	@[ -x $(BIN)/python ] || { echo "== creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade
	@touch $@

# Changed requirements never bring a second torch: the step leaves an installed one alone.
$(VENV)/.stamp-torch: $(VENV)/.stamp-venv tools/install_torch.py
	$(BIN)/python tools/install_torch.py
	@touch $@

$(VENV)/.stamp-packages: $(VENV)/.stamp-torch pyproject.toml
	@echo "== installing the package and its tools into $(VENV) (some minutes, silently)"
	$(BIN)/python -m pip install --disable-pip-version-check -qq --editable '.[dev]'
	@touch $@
