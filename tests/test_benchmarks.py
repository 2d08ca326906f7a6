"""Pages and pictures of the benchmarks, and whether the scripts still find what they use."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("examples/**/*.py")])


def test_the_page_of_tables_and_the_readme_are_what_the_results_give(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import write_tables

    assert write_tables.PAGE.read_text() == write_tables.page()
    assert write_tables.README.read_text() == write_tables.readme()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_what_a_script_imports_from_the_package_exists(script):
    # Imports within functions too: linters and type checkers do not follow them into untyped scripts.
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = {alias.name: [] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = {node.module: [alias.name for alias in node.names]}
        else:
            continue
        for name, attributes in modules.items():
            if name.split(".")[0] == "skvae":
                module = importlib.import_module(name)
                for attribute in attributes:
                    if not hasattr(module, attribute):
                        importlib.import_module(f"{name}.{attribute}")
