from pathlib import Path


def test_the_page_of_tables_and_the_readme_are_what_the_results_give(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    import write_tables

    assert write_tables.PAGE.read_text() == write_tables.page()
    assert write_tables.README.read_text() == write_tables.readme()
