"""What the documentation says of itself: addresses, and the snippets of its pages."""

import doctest
import io
import re
import tomllib
from pathlib import Path

import pytest
from sklearn.pipeline import make_pipeline

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer

ROOT = Path(__file__).parents[1]
SNIPPETS = re.compile(r"^```pycon\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
DOCS = ROOT / "docs"
GUIDE = DOCS / "user_guide" / "index.md"


@pytest.mark.parametrize("estimator", [TextTokenizer, TextVAETransformer, TextVAEClassifier])
def test_question_mark_of_a_diagram_opens_the_page_of_the_estimator(estimator):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    address = project["urls"]["Documentation"]
    page = f'href="{address}generated/skvae.{estimator.__name__}.html"'
    assert page in estimator()._repr_html_()
    assert page in make_pipeline(estimator())._repr_html_()


def run_snippets(page, names):
    """The snippets of a page, one after another; `names` gets what they define."""
    text = page.read_text(encoding="utf-8")
    # Everything else becomes empty lines, so that a failure names the line of the page.
    kept, position = [], 0
    for snippet in SNIPPETS.finditer(text):
        kept.append("\n" * text.count("\n", position, snippet.start(1)) + snippet[1])
        position = snippet.end(1)
    examples = doctest.DocTestParser().get_doctest("".join(kept), {}, page.name, str(page), 0)
    examples.globs = names
    report = io.StringIO()
    results = doctest.DocTestRunner(optionflags=OPTIONS).run(examples, out=report.write, clear_globs=False)
    assert results.attempted
    assert not results.failed, report.getvalue()


@pytest.fixture(scope="module")
def guide():
    """What the first page of the user guide defines for the others."""
    names = {}
    run_snippets(GUIDE, names)
    return names


@pytest.mark.docs
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("page", sorted(set(GUIDE.parent.glob("*.md")) - {GUIDE}), ids=lambda page: page.stem)
def test_snippets_of_the_user_guide(page, guide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_snippets(page, dict(guide))


def test_snippets_of_the_first_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_snippets(DOCS / "index.md", {})


@pytest.mark.docs
@pytest.mark.parametrize("page", ["quickstart", "pitfalls", "faq"])
def test_snippets_of_a_further_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_snippets(DOCS / f"{page}.md", {})
