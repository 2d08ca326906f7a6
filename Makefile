PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
# scikit-learn 1.6 finds scikeras' _more_tags among the classes and says so each time; 1.7 does not look.
OLDEST_WARNS := -W ignore::DeprecationWarning:sklearn.utils._tags -W ignore::DeprecationWarning:sklearn.base
# TensorFlow prints its build flags at import unless told not to.
export TF_CPP_MIN_LOG_LEVEL := 3

.PHONY: test test-oldest demo docs lint clean

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[test,examples,plot]"
	touch $@

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Two at a time: most of a tiny fit is tracing, which keeps one core busy.
test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

# The oldest scikit-learn that pyproject.toml claims, with what was current beside it.
$(OLDEST)/.installed: pyproject.toml
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --upgrade pip
	$(OLDEST)/bin/python -m pip install --quiet -e ".[test]" "scikit-learn==1.6.*" "scipy<1.15" "pandas<3" "pytest<9"
	touch $@

test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python -m pytest -n 2 --dist worksteal $(OLDEST_WARNS)

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e ".[docs]"
	touch $@

# Runs every example of the gallery; those that have not changed since the last build are not run again.
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

demo: $(VENV)/.installed
	$(BIN)/python examples/imdb_sentiment.py

clean:
	rm -rf $(VENV) $(OLDEST) build dist docs/_build docs/gallery docs/generated
