# Each target makes its own .venv from python3 and pip; nothing else is needed. A second run is quick: the
# stamps are remade only when pyproject.toml or constraints.txt changed.
#   make demo    index the bundled gallery and search it in eight languages
#   make test    the test suite (offline, CPU);  EXTRAS=torch,reference adds those of training and of the real model families
#   make check   ruff, mypy --strict, import-linter
#   make bench   the benchmarks, each prints a table and ratios
PYTHON ?= python3
EXTRAS ?=
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
comma  := ,
DEV    := dev$(if $(EXTRAS),$(comma)$(EXTRAS))

.PHONY: demo test check bench format clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	$(BIN)/babelens demo

test: $(VENV)/installed-$(DEV)
	$(BIN)/python -m pytest $(TESTS)

check: $(VENV)/installed-$(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-$(DEV)
	$(BIN)/python -m benchmarks

format: $(VENV)/installed-$(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/installed-$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable '.[$(DEV)]'
	@touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
