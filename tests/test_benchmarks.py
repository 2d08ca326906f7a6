"""Pages and pictures of the benchmarks, and whether the scripts still find what they use."""

import ast
import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("examples/**/*.py")])


def test_the_page_of_tables_and_the_readme_are_what_the_results_give(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import write_tables

    assert write_tables.PAGE.read_text() == write_tables.page()
    assert write_tables.README.read_text() == write_tables.readme()


def test_means_over_draws_leave_out_a_draw_that_not_every_method_has(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import compare
    import write_tables

    def run(key, method, draw, accuracy):
        return {"set": key, "method": method, "per_class": 10, "draw": draw, "accuracy": accuracy}

    runs = [
        run(key, method, draw, accuracy + draw)
        for key, n_draws in (("sst2", 2), ("yelp", 2), ("trec", 1))
        for method, accuracy in (("fastText", 0.25), ("skvae", 0.5))
        for draw in range(n_draws)
    ]
    begun = [*runs, run("trec", "fastText", 1, 0.0)]
    whole = compare.of_whole_draws(begun)
    assert whole == runs
    assert compare.means_of(whole, "accuracy", 10)["fastText", "trec"] == 0.25
    assert write_tables.draws_compared(whole) == "2 draws (TREC: one draw)"
    three = [run | {"set": name, "draw": 0} for name in ("r8", "bbc", "nsmc") for run in whole]
    assert write_tables.draws_compared(whole + three).startswith("one draw (")
    assert write_tables.draws_compared(whole + three).count("draw") == 2
    assert compare.leads_of(whole, 10)["trec"] == (25.0, "fastText")


def test_badges_say_what_the_project_declares(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    import badges

    for file, content in badges.badges().items():
        assert (badges.FOLDER / file).read_text(encoding="utf-8") == content
        assert f"docs/images/{file}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_results_are_kept_with_the_commands_behind_them_but_not_where_the_data_is(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import kept

    monkeypatch.setattr(kept, "RESULTS", tmp_path)
    for part in ("one", "two"):
        monkeypatch.setattr(
            "sys.argv",
            [
                "script.py",
                str(tmp_path),
                "--parts",
                part,
                "--output",
                f"{tmp_path}/x",
                "--models",
                str(tmp_path),
            ],
        )
        earlier = kept.earlier_results("script")
        kept.keep_results("script", {part: 1}, earlier=earlier)
    found = kept.earlier_results("script")
    assert found["commands"] == [
        f"python benchmarks/script.py DATA --parts {part} --output FILE --models FOLDER"
        for part in ("one", "two")
    ]
    assert (found["one"], found["two"]) == (1, 1)
    file = tmp_path / "script.json"
    own = found["versions"]["skvae"]
    file.write_text(file.read_text().replace(f'"skvae": "{own}"', '"skvae": "0.0.1"'))
    for _ in range(2):
        kept.keep_results("script", {"two": 2}, earlier=kept.earlier_results("script"))
    assert json.loads(file.read_text())["versions"]["skvae"] == f"0.0.1 and {own}"
    file.write_text(file.read_text().replace(found["versions"]["numpy"], "0.1"))
    with pytest.raises(SystemExit, match=r"other versions, \{'numpy': '0.1'\}"):
        kept.earlier_results("script")


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
