# Two commands are enough: `make serve` and `make test`. Each sets up what it needs in .venv and is fast when it is there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
TESTS ?= tests README.md docs
# Everything, where everything was promised to be there; else what a minute or two can show.
SELECT := $(if $(filter 1,$(STENOD_TEST_ALL)),,-m "not slow")

.DEFAULT_GOAL := help
.PHONY: help serve test check format docs lock bench node clean

help: ## Say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

serve: $(VENV)/.run ## Run the server; flags go in ARGS="--port 8123"
	@exec $(BIN)/stenod serve $(ARGS)

test: $(if $(filter 1,$(STENOD_TEST_ALL)),$(VENV)/.engines,$(VENV)/.dev) ## Run the tests; STENOD_TEST_ALL=1 runs the slow ones too and skips nothing
	@$(BIN)/python -m pytest $(SELECT) $(TESTS) $(ARGS)

check: $(VENV)/.dev ## Check format, lint, types, import contracts, spelling and that the docs are in step
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/cog --check -P -I tools README.md docs/*.md docs/protocols/*.md

format: $(VENV)/.dev ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## Write the generated parts of the docs anew
	$(BIN)/cog -r -P -I tools README.md docs/*.md docs/protocols/*.md

bench: $(VENV)/.bench ## Measure, print the tables and save the plots in bench/out
	@for script in bench/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script $(ARGS) || exit 1; done

lock: ## Pin the newest versions that pyproject.toml allows (needs uv)
	uv pip compile -q --universal --no-header --no-emit-index-url --no-annotate pyproject.toml -o requirements/run.txt
	uv pip compile -q --universal --no-header --no-emit-index-url --no-annotate pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt
	uv pip compile -q --universal --no-header --no-emit-index-url --no-annotate pyproject.toml --group bench -c requirements/dev.txt -o requirements/bench.txt
	uv pip compile -q --no-header --no-emit-index-url --no-annotate pyproject.toml --group engines -c requirements/dev.txt -o requirements/engines.txt

node: ## Install the npm package that examples of others need, for the tests that run them
	@npm install --silent --no-audit --no-fund --no-save --no-package-lock --prefix clients/javascript ws@8

clean: ## Remove everything that the other targets made
	rm -rf $(VENV) clients/javascript/node_modules bench/out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------------------------- set-up

# install WHAT: into the environment, with uv where it is, else with pip
define install
@if command -v uv >/dev/null 2>&1; then uv pip install -q --python $(BIN)/python $(1); \
else $(BIN)/python -m pip install -q --disable-pip-version-check $(1); fi
endef

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "stenod needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@if command -v uv >/dev/null 2>&1; then uv venv -q --allow-existing --python "$$(command -v $(PYTHON))" $(VENV); \
	else $(PYTHON) -m venv $(VENV) || { echo "venv is missing: apt-get install python3-venv" >&2; exit 1; }; fi

$(VENV)/.run: pyproject.toml requirements/run.txt | $(VENV)/bin/python
	@echo "Setting up .venv (once) ..."
	$(call install,-r requirements/run.txt)
	$(call install,--no-deps -e .)
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "Setting up the development tools (once) ..."
	$(call install,-r requirements/dev.txt)
	@touch $@

# torch, NeMo, MLX, CTranslate2, sherpa-onnx: some gigabytes, for the tests that run every engine and for comparisons
$(VENV)/.engines: $(VENV)/.dev requirements/engines.txt
	@echo "Setting up every engine (once; some gigabytes) ..."
	$(call install,-r requirements/engines.txt)
	@touch $@

$(VENV)/.bench: $(VENV)/.engines requirements/bench.txt
	$(call install,-r requirements/bench.txt)
	@touch $@
