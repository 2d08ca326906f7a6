PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# TensorFlow prints its build flags at import unless told not to.
export TF_CPP_MIN_LOG_LEVEL := 3

.PHONY: test demo lint clean

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[test,examples,plot]"
	touch $@

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest

demo: $(VENV)/.installed
	$(BIN)/python examples/imdb_sentiment.py

clean:
	rm -rf $(VENV) build dist
