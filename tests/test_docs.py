"""What the documentation says of itself: addresses, and the snippets of its pages."""

from importlib.metadata import metadata

import pytest
from sklearn.pipeline import make_pipeline

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer


@pytest.mark.parametrize("estimator", [TextTokenizer, TextVAETransformer, TextVAEClassifier])
def test_question_mark_of_a_diagram_opens_the_page_of_the_estimator(estimator):
    (address,) = (
        line.split(", ")[1]
        for line in metadata("skvae").get_all("Project-URL")
        if line.startswith("Documentation, ")
    )
    page = f'href="{address}generated/skvae.{estimator.__name__}.html"'
    assert page in estimator()._repr_html_()
    assert page in make_pipeline(estimator())._repr_html_()
