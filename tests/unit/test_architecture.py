"""The house as docs/architecture.md draws it: imports go down, and what is long is taken apart."""

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import skvae

PACKAGE = Path(skvae.__file__).parent
# From the ground up. Public modules without a place here stand above all of them.
FLOORS = ("_base", "_texts", "_network", "_head", "_writing", "_estimator")
# Public names that need nothing of the house.
GROUND = ("exceptions", "metrics")
LONGEST_MODULE, LONGEST_FUNCTION = 650, 60
# Names of other libraries' own, in the one module that may use them.
PRIVATE = {"scikeras": "_estimator/scikeras.py", "sklearn": "_estimator/sklearn.py"}

MODULES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}


def floor_of(parts):
    """Index of a module's floor, the ground being 0, from the parts of its name within the package."""
    if parts[0] in GROUND or parts == ["__init__"]:
        return 0
    return FLOORS.index(parts[0]) if parts[0] in FLOORS else len(FLOORS)


def imported(name, tree):
    """The parts of the name of each module of the package that a module imports."""
    folder = name.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = folder[: len(folder) - node.level + 1] + (node.module.split(".") if node.module else [])
        for alias in node.names:
            inner = [*base, alias.name]
            is_module = PACKAGE.joinpath(*inner).with_suffix(".py").exists()
            if is_module or PACKAGE.joinpath(*base).with_suffix(".py").exists():
                yield inner if is_module else base


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down(name):
    own = floor_of(name.removesuffix(".py").split("/"))
    for parts in imported(name, ast.parse(MODULES[name].read_text())):
        assert floor_of(parts) <= own, f"{name} imports {'.'.join(parts)}, which stands above it"


def test_imports_are_seen():
    tree = ast.parse(MODULES["classifier.py"].read_text())
    assert ["_head", "fitting"] in list(imported("classifier.py", tree))
    assert floor_of(["transformer"]) > floor_of(["_writing", "decoding"]) > floor_of(["_base", "seeds"])


def test_no_import_of_the_house_is_absolute():
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert not node.module.startswith("skvae"), name


@pytest.mark.parametrize("name", MODULES)
def test_what_is_long_is_taken_apart(name):
    source = MODULES[name].read_text()
    assert len(source.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(source)):
        # A constructor's length is that of its parameters.
        if isinstance(node, ast.FunctionDef) and node.name != "__init__":
            documented = node.body[0] if ast.get_docstring(node) else None
            n_documented = documented.end_lineno - documented.lineno + 1 if documented else 0
            n_lines = node.end_lineno - node.lineno + 1 - n_documented
            assert n_lines <= LONGEST_FUNCTION, node.name


@pytest.mark.parametrize("floor", FLOORS)
def test_each_floor_says_in_a_sentence_what_may_enter(floor):
    sentence = ast.get_docstring(ast.parse(MODULES[f"{floor}/__init__.py"].read_text()))
    assert sentence.count("\n") == 0
    assert sentence.endswith("enters.")


@pytest.mark.parametrize("floor", ["_base", "_texts"])
def test_what_reads_texts_needs_no_keras(floor):
    for name, path in MODULES.items():
        if name.startswith(floor):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
                assert not any(each.split(".")[0] in ("keras", "tensorflow") for each in names), name


def test_private_names_of_keras_and_tensorflow_are_used_in_one_module():
    private = re.compile(
        "_all_reduce_sum_gradients|_maybe_symbolic_build|_cardinality|keras.src|tensorflow.python"
    )
    users = {name for name, path in MODULES.items() if private.search(path.read_text())}
    # The second looks a name up among what is imported: it must not import TensorFlow itself.
    assert users == {"_network/private.py", "_base/forking.py"}


@pytest.mark.parametrize("library", PRIVATE)
def test_private_names_of_a_library_are_used_in_one_module(library):
    users = set()
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level and node.module.startswith(library):
                private = library == "scikeras" or any(
                    part.startswith("_") for part in node.module.split(".")
                )
                if private or any(alias.name.startswith("_") for alias in node.names):
                    users.add(name)
    assert users == {PRIVATE[library]}


@pytest.mark.skipif(shutil.which("make") is None, reason="asks make")
def test_make_lets_processes_keep_what_they_compile():
    # Without, each process that a test or the demo starts compiles TensorFlow anew.
    ended = subprocess.run(
        ["make", "-f", "Makefile", "-f", "-", "asked"],
        input='asked:\n\t@echo "kept$$PYTHONDONTWRITEBYTECODE"\n',
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "kept" in ended.stdout.split()
