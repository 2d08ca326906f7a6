"""A page over a saved estimator: python -m streamlit run app.py -- explorer.joblib."""

import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import streamlit as st
from sklearn.neighbors import NearestNeighbors

st.set_page_config(page_title="Latent explorer", layout="centered")


@st.cache_resource
def load(path, modified):
    """The classifier, the texts, and an index of them by the angle between latents; anew when the file was `modified`."""
    classifier, texts = joblib.load(path)
    # A list, or a series with an index of its own, too.
    texts = np.array(list(texts), dtype=object)
    latents = classifier.transform(texts)
    index = NearestNeighbors(n_neighbors=min(6, len(texts)), metric="cosine").fit(latents)
    return classifier, texts, index


def show_text(text):
    """The text to the letter: no Markdown, no HTML, no formulas."""
    st.container(border=True).text(text)


def show_probabilities(text):
    probabilities = classifier.predict_proba([text])[0]
    for column, name, probability in zip(
        st.columns(len(probabilities)), classifier.classes_, probabilities, strict=True
    ):
        # Names of classes and texts come from elsewhere; `text` shows them as they are, and labels would be Markdown.
        column.text(f"probability of {name}")
        column.metric("probability", f"{probability:.0%}", label_visibility="collapsed")
        column.progress(float(probability))


if len(sys.argv) != 2:
    st.error("Which estimator? Run: python -m streamlit run app.py -- explorer.joblib")
    st.stop()
st.title("Latent explorer")
if not st.session_state.get("trusted"):
    st.warning(
        "To load a joblib file is to run whatever code its author put into it. Load only files that you trust.",
        icon="⚠️",
    )
    st.text(sys.argv[1])
    if not st.button("Load it"):
        st.stop()
    st.session_state["trusted"] = True
    st.rerun()
classifier, texts, index = load(sys.argv[1], Path(sys.argv[1]).stat().st_mtime_ns)
st.caption(f"{len(texts):,} texts, {classifier.vae_.n_components} latents. Everything runs on this machine.")

read, latents_tab, walk, rewrite = st.tabs(["Read", "Latents", "Walk", "Rewrite"])

with read:
    text = st.text_area("A review", texts[0], key="review")
    if text.strip():
        show_probabilities(text)
        latents = classifier.transform([text])
        st.subheader("What is left of it after the latents")
        show_text(classifier.inverse_transform(latents)[0])
        st.subheader("Its neighbours")
        distances, rows = index.kneighbors(latents)
        neighbours = pd.DataFrame({"similarity": 1 - distances[0], "text": texts[rows[0]]}).round(2)
        # A text of the collection is its own nearest neighbour.
        st.dataframe(neighbours[neighbours["text"] != text].head(5), hide_index=True)

with latents_tab:
    st.dataframe(classifier.latents_frame(texts[:1_000]).round(2), hide_index=True)

with walk:
    start = st.text_area("From", texts[0], key="start", height=70)
    end = st.text_area("To", texts[-1], key="end", height=70)
    share = st.slider("On the way", 0, 100, 0, format="%d %%", key="share") / 100
    if start.strip() and end.strip():
        first, last = classifier.transform([start, end])
        between = classifier.inverse_transform([(1 - share) * first + share * last])[0]
        show_text(between)
        show_probabilities(between)

with rewrite:
    source = st.text_area("A review to rewrite", texts[0], key="source", height=70)
    other = int(classifier.predict_proba([texts[0]])[0].argmin())
    towards = st.selectbox("Towards", classifier.classes_, index=other, key="towards")
    if st.button("Rewrite") and source.strip():
        written = classifier.rewrite([source], y=towards)[0]
        show_text(written)
        show_probabilities(written)
