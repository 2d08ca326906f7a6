"""The explorer page, alone and in a real browser. Needs the extra `explorer`, and a Chromium on the PATH."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skvae import TextVAEClassifier

pytest.importorskip(
    "streamlit", reason="the page needs Streamlit; install the extra: pip install '.[explorer]'"
)
pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FOLDER = Path(__file__).parents[1] / "examples" / "latent_explorer"


@pytest.fixture(scope="module")
def address(writing_classifier, reviews, tmp_path_factory):
    """Where the page is served, over a saved classifier."""
    saved = tmp_path_factory.mktemp("explorer") / "explorer.joblib"
    joblib.dump((writing_classifier, reviews[0]), saved)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    log = saved.with_suffix(".log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}", "--", str(saved)],
        cwd=FOLDER,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        url = f"http://localhost:{port}"
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).close()
                break
            except OSError:
                assert server.poll() is None, saved.with_suffix(".log").read_text()
                time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        server.wait(20)
        log.close()


@pytest.fixture(scope="module")
def browser():
    playwright_api = pytest.importorskip(
        "playwright.sync_api",
        reason="the browser is driven by Playwright; install the extra: pip install '.[explorer]'",
    )
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH; on Debian, apt-get install chromium")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    page = browser.new_page()
    elsewhere = []
    page.on("request", lambda request: elsewhere.append(request.url) if address not in request.url else None)
    page.goto(address)
    page.get_by_role("heading", name="Latent explorer").wait_for(timeout=120_000)
    # Nothing is loaded before it was said what loading means.
    page.get_by_text("run whatever code").wait_for()
    assert not page.get_by_text("probability of good").count()
    page.get_by_role("button", name="Load it").click()
    # The first visit loads the estimator, and with it TensorFlow.
    page.get_by_text("probability of good").first.wait_for(timeout=120_000)
    yield page
    assert not [url for url in elsewhere if url.startswith(("http://", "https://"))]
    page.close()


def test_a_typed_review_gets_probabilities_neighbours_and_a_reconstruction(page, writing_classifier):
    text = "the music was great and very funny!"
    page.get_by_label("A review", exact=True).fill(text)
    page.get_by_label("A review", exact=True).press("Control+Enter")
    (probabilities,) = writing_classifier.predict_proba([text])
    panel = page.get_by_role("tabpanel")
    for name, probability in zip(writing_classifier.classes_, probabilities, strict=True):
        column = panel.get_by_test_id("stColumn").filter(has_text=f"probability of {name}")
        column.filter(has_text=f"{probability:.0%}").wait_for(timeout=60_000)
    again = writing_classifier.inverse_transform(writing_classifier.transform([text]))[0]
    panel.get_by_test_id("stText").filter(has_text=again).wait_for(timeout=60_000)
    panel.get_by_test_id("stDataFrame").wait_for()


def test_the_text_changes_while_the_slider_is_dragged_from_one_review_to_another(page, gru_vae, reviews):
    page.get_by_role("tab", name="Walk").click()
    panel = page.get_by_role("tabpanel")
    start, end = gru_vae.inverse_transform(gru_vae.transform([reviews[0][0], reviews[0][-1]]))
    assert start != end
    panel.get_by_test_id("stText").filter(has_text=start).wait_for(timeout=60_000)
    slider = panel.get_by_role("slider")
    box, track = slider.bounding_box(), panel.get_by_test_id("stSlider").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] / 2, box["y"] + 5, steps=5)
    page.mouse.move(track["x"] + track["width"] + 20, box["y"] + 5, steps=5)
    page.mouse.up()
    panel.get_by_test_id("stText").filter(has_text=end).wait_for(timeout=60_000)


def test_a_review_is_rewritten_towards_a_class(page, writing_classifier, reviews):
    page.get_by_role("tab", name="Rewrite").click()
    panel = page.get_by_role("tabpanel")
    panel.get_by_role("button", name="Rewrite").click()
    text = reviews[0][:1]
    # What it is least is what the page suggests.
    other = writing_classifier.classes_[writing_classifier.predict_proba(text)[0].argmin()]
    written = writing_classifier.rewrite(text, y=other)[0]
    panel.get_by_test_id("stText").filter(has_text=written).wait_for(timeout=60_000)


def test_texts_and_names_are_shown_to_the_letter(gru_vae, reviews, tmp_path, monkeypatch):
    from streamlit.testing.v1 import AppTest

    X, y = reviews
    names = np.array(["*bad* $a$", ":red[good] <b>"])
    classifier = TextVAEClassifier(FrozenEstimator(gru_vae), random_state=0).fit(X, names[y])
    joblib.dump((classifier, X), tmp_path / "explorer.joblib")
    monkeypatch.setattr(sys, "argv", ["app.py", str(tmp_path / "explorer.joblib")])
    # Streamlit leaves the page there, and processes that later tests spawn would run it.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    page = AppTest.from_file(str(FOLDER / "app.py"), default_timeout=120).run()
    # Nothing is loaded before it was said what loading means.
    assert "run whatever code" in page.warning[0].value
    assert not page.text_area
    page.button[0].click().run()
    assert not page.warning
    next(button for button in page.button if button.label == "Rewrite").click().run()
    assert not page.exception
    shown = {text.value for text in page.text}
    assert {f"probability of {name}" for name in names} <= shown
    assert classifier.inverse_transform(classifier.transform(X[:1]))[0] in shown
    assert not page.markdown
    assert {metric.label for metric in page.metric} == {"probability"}
    # The file may be written anew while the page is open.
    renamed = TextVAEClassifier(FrozenEstimator(gru_vae), random_state=0).fit(
        X, np.array(["worse", "better"])[y]
    )
    joblib.dump((renamed, X), tmp_path / "explorer.joblib")
    page.run()
    assert "probability of better" in {text.value for text in page.text}
