"""Files of fitted estimators: what is in them, and what damaged, foreign and old ones do."""

import importlib.util
import json
import pickle
import pickletools
import random
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from scipy.special import log_softmax

from skvae import TextVAEClassifier, TextVAETransformer
from skvae._base.seeds import DocumentNoise, SeedSequence
from skvae._estimator import storing
from skvae._network.likelihood import _reconstruction
from skvae.metrics import draw_latents, gaussian_kl

DATA = Path(__file__).parent / "data"
OURS = {
    "skvae.classifier.TextVAEClassifier",
    "skvae.tokenization.TextTokenizer",
    "skvae.transformer.TextVAETransformer",
}


def globals_of(pickled):
    """Everything that unpickling imports, and could call."""
    named, strings = set(), []
    for operation, argument, _ in pickletools.genops(pickled):
        if operation.name == "GLOBAL":
            named.add(argument.replace(" ", "."))
        if "UNICODE" in operation.name or operation.name == "MEMOIZE":
            strings.append(argument)
        if operation.name == "STACK_GLOBAL":
            named.add(".".join([each for each in strings if each is not None][-2:]))
    return named


def test_a_pickle_names_our_three_classes_and_arrays(classifier, gru_vae):
    for estimator in (classifier, gru_vae):
        # Protocol 2 writes each name out; later ones may refer to one that came before.
        named = {name for name in globals_of(pickle.dumps(estimator, protocol=2)) if "numpy" not in name}
        assert named <= OURS | {
            "copyreg._reconstructor",
            "__builtin__.object",
            "copy_reg._reconstructor",
            "_codecs.encode",
        }
        assert f"skvae.transformer.{type(gru_vae).__name__}" in named


@pytest.fixture(scope="module")
def trained_on(writing_classifier, reviews):
    """A classifier whose lexical term has been trained further."""
    again = pickle.loads(pickle.dumps(writing_classifier))
    return again.partial_fit(reviews[0][:60], np.resize(["bad", "good", "mixed"], 60))


def test_skops_has_to_trust_our_three_classes_only(trained_on, reviews):
    stored = skops.io.dumps(trained_on)
    unknown = [name for name in skops.io.get_untrusted_types(data=stored) if not name.startswith("sklearn.")]
    assert set(unknown) == OURS
    again = skops.io.loads(stored, trusted=unknown)
    np.testing.assert_array_equal(again.predict_proba(reviews[0]), trained_on.predict_proba(reviews[0]))
    latents = again.transform(reviews[0][:3])
    assert again.inverse_transform(latents).tolist() == trained_on.inverse_transform(latents).tolist()


def test_a_file_mapped_into_memory_answers_and_learns(trained_on, reviews, tmp_path):
    X = reviews[0]
    joblib.dump(trained_on, tmp_path / "classifier.joblib")
    mapped = joblib.load(tmp_path / "classifier.joblib", mmap_mode="r")
    assert isinstance(mapped.vae_._autoencoder.network.weights["bow_decoder/kernel"], np.memmap)
    np.testing.assert_array_equal(mapped.predict_proba(X), trained_on.predict_proba(X))
    latents = mapped.transform(X[:3])
    assert mapped.inverse_transform(latents).tolist() == trained_on.inverse_transform(latents).tolist()
    y = np.resize(["bad", "good", "mixed"], 30)
    same = pickle.loads(pickle.dumps(trained_on)).partial_fit(X[:30], y)
    np.testing.assert_array_equal(mapped.partial_fit(X[:30], y).predict_proba(X), same.predict_proba(X))


def test_truncated_files_are_refused(trained_on, tmp_path):
    pickled = pickle.dumps(trained_on)
    path = tmp_path / "classifier.joblib"
    joblib.dump(trained_on, path)
    dumped = path.read_bytes()
    for share in (0.0, 0.01, 0.3, 0.6, 0.99):
        with pytest.raises((pickle.UnpicklingError, EOFError)):
            pickle.loads(pickled[: int(share * len(pickled))])
        path.write_bytes(dumped[: int(share * len(dumped))])
        # Where joblib's own unpickler is cut between an array and its parts it says IndexError.
        with pytest.raises((pickle.UnpicklingError, EOFError, ValueError, IndexError)):
            joblib.load(path)


# What pickle makes of a flipped instruction may complain when it is thrown away.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_flipped_bit_is_an_error_or_changes_nothing(trained_on):
    pickled = pickle.dumps(trained_on)
    generator, refused = random.Random(0), 0
    for _ in range(300):
        damaged = bytearray(pickled)
        damaged[generator.randrange(len(pickled))] ^= 1 << generator.randrange(8)
        try:
            loaded = pickle.loads(bytes(damaged))
        except Exception:
            refused += 1
        else:
            assert type(loaded) is TextVAEClassifier
            assert loaded.__getstate__()["_skvae"] == trained_on.__getstate__()["_skvae"]
    assert refused > 250


def test_a_damaged_array_is_named_as_such(bow_vae, tmp_path):
    path = tmp_path / "vae.joblib"
    joblib.dump(bow_vae, path)
    kernel = bow_vae._autoencoder.network.weights["bow_decoder/kernel"].tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(kernel) + 5] ^= 1
    path.write_bytes(bytes(content))
    for mode in (None, "r"):
        with pytest.raises(ValueError, match=r"TextVAETransformer that is damaged.*Copy the file again"):
            joblib.load(path, mmap_mode=mode)


def with_scalars(fitted):
    """An estimator with NumPy's scalars where users put them: alone, in containers, in object arrays."""
    again = pickle.loads(pickle.dumps(fitted))
    again.set_params(learning_rate=np.float64(4e-3), epochs=np.int64(2), encoder=np.str_("bow"))
    again.set_params(encoder_units=(np.int32(16),), beta=np.float32(0.1), early_stopping=np.bool_(False))
    again.extra_ = {np.float64(0.5): np.array([np.float64(0.1), np.str_("a"), None], dtype=object)}
    return again


@pytest.mark.parametrize("legacy", ["1.13", "1.25", False])
def test_a_file_is_whole_whatever_numpy_prints(bow_vae, legacy):
    stored = pickle.dumps(with_scalars(bow_vae))
    with np.printoptions(legacy=legacy):
        again = pickle.loads(stored)
        stored_here = pickle.dumps(again)
    assert type(again.learning_rate) is np.float64
    assert pickle.loads(stored_here).extra_[0.5].tolist() == [0.1, "a", None]


def test_the_checksum_tells_types_and_values_apart(bow_vae):
    def checksum(**params):
        return pickle.loads(pickle.dumps(bow_vae)).set_params(**params).__getstate__()["_skvae"]["checksum"]

    values = [4e-3, np.float64(4e-3), np.float32(4e-3), np.float64(np.nextafter(4e-3, 1)), "0.004", b"0.004"]
    values += [np.array(4e-3), np.array(["a", 4e-3], dtype=object), np.array(["a", 5e-3], dtype=object)]
    assert len({checksum(learning_rate=value) for value in values}) == len(values)


@pytest.mark.parametrize("legacy", ["1.25", False])
def test_files_with_the_checksum_of_before_load(bow_vae, legacy):
    fitted = with_scalars(bow_vae)
    del fitted.extra_
    state = fitted.__getstate__()
    stamp = state.pop("_skvae")
    written = {key: stamp[key] for key in ("format", "version")}
    with np.printoptions(legacy=legacy):
        state["_skvae"] = written | {"checksum": storing._checksum_of_repr([written, state])}
    again = TextVAETransformer.__new__(TextVAETransformer)
    again.__setstate__(state)
    assert again.learning_rate == 4e-3
    state["_skvae"]["checksum"] += 1
    with pytest.raises(ValueError, match="damaged"):
        again.__setstate__(state)


@pytest.mark.parametrize("estimator", ["classifier", "gru_vae", "tokenizer"])
def test_files_of_another_format_are_refused(estimator, request, gru_vae):
    fitted = gru_vae.tokenizer_ if estimator == "tokenizer" else request.getfixturevalue(estimator)
    kind, state = type(fitted), fitted.__getstate__()
    newer = state | {"_skvae": state["_skvae"] | {"format": 4, "version": "7.0"}}
    message = (
        rf"{kind.__name__} of format 4, written by skvae 7.0; skvae .* reads formats 1 to 3\. Load it with"
    )
    with pytest.raises(ValueError, match=message):
        kind.__new__(kind).__setstate__(newer)
    unknown = state | {"_skvae": state["_skvae"] | {"format": "?"}}
    with pytest.raises(ValueError, match=r"of format '\?'"):
        kind.__new__(kind).__setstate__(unknown)
    del state["_skvae"]
    with pytest.raises(ValueError, match="without a format number"):
        kind.__new__(kind).__setstate__(state)


def elbo_of_one_draw(vae, X, version):
    """The ELBO by the noise that `score` drew when the file was written."""
    autoencoder = vae._autoencoder
    documents = autoencoder.prepare(autoencoder.read(X))
    mean, log_variance = autoencoder.posterior(documents)
    seed = SeedSequence(0).next()
    noise = np.random.default_rng(seed) if version == 1 else DocumentNoise(documents.keys(), seed)
    latents = draw_latents(mean, log_variance, noise)
    return -(_reconstruction(autoencoder, latents, documents)[0] + gaussian_kl(mean, log_variance)).mean()


def words_by_divergence(bag, texts):
    """What a bag-of-words decoder listed up to format 3: marks and common words too."""
    autoencoder = bag._autoencoder
    background = autoencoder.network.weights["bow_decoder/background"]
    log_share = log_softmax(bag.transform(texts) @ bag.components_ + background, axis=1)
    part = np.exp(log_share) * (log_share - log_softmax(background))
    forms = np.array(bag.tokenizer_._forms(), dtype=object)[np.flatnonzero(autoencoder.word_columns >= 0)]
    n_words = min(20, autoencoder.max_length)
    return [" ".join(dict.fromkeys(forms[np.argsort(-row, kind="stable")[:n_words]])) for row in part]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_kept_file_of_each_format_loads_for_ever(version):
    """If this fails, files that users have no longer load: mend the reading, not the file."""
    spec = importlib.util.spec_from_file_location("write_format", DATA / "write_format.py")
    write_format = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(write_format)
    estimators = pickle.loads((DATA / f"format_{version}.pkl").read_bytes())
    expected = json.loads((DATA / f"format_{version}.json").read_text())
    texts, ids = expected["texts"], np.array(expected["ids"], dtype=np.int32)
    np.testing.assert_array_equal(estimators["subwords"].transform(texts), ids)
    for name, documents in (("classifier", texts), ("reader", ids), ("bag", texts)):
        found = write_format.answers(estimators[name], documents)
        vae = getattr(estimators[name], "vae_", estimators[name])
        found["elbo"] = elbo_of_one_draw(vae, documents, version)
        assert found.keys() == expected[name].keys()
        for what, values in expected[name].items():
            np.testing.assert_allclose(found[what], values, rtol=1e-3, atol=1e-4, err_msg=f"{name}, {what}")
    bag = estimators["bag"]
    assert words_by_divergence(bag, texts) == expected["words"]
    assert len(bag.inverse_transform(bag.transform(texts))) == len(texts)
    for name, ids in expected.get("spelling", {}).items():
        np.testing.assert_array_equal(estimators[name].transform(expected["spelled"]), ids)
        assert estimators[name].inverse_transform(ids).tolist() == expected["spelled"]
    classifier = estimators["classifier"]
    # Guidance has the weights of the head there, and average features for what it does not read.
    autoencoder, head = classifier.vae_._autoencoder, classifier._class_head
    corpus = autoencoder.read(texts)
    inputs = head.inputs(corpus, autoencoder.prepare(corpus))
    means = head.latent_logits(classifier._latent_classes.feature_means[None])
    np.testing.assert_allclose(
        classifier._ngram_classes().logits(inputs, 5), means + head.linear_logits(inputs, 5), atol=1e-5
    )
    assert classifier.rewrite(texts[:2], "good").shape == (2,)
    assert classifier.partial_fit(texts, ["bad", "good", "mixed", "bad", "good"]).n_iter_ == 3


def test_a_tokenizer_of_format_1_splits_as_it_did_also_when_saved_again():
    classifier = pickle.loads((DATA / "format_1.pkl").read_bytes())["classifier"]
    tokenizer = pickle.loads(pickle.dumps(classifier.vae_.tokenizer_))
    texts = ['He said: "the story - so-so - is great!"', "the story[END] is é[PAD]"]
    first = tokenizer._encode(texts)
    assert first.ids.tolist() == classifier.vae_.tokenizer_._encode(texts).ids.tolist()
    assert not np.isin(first.ids, [0, 2]).any()
    assert tokenizer.tokens_[:3].tolist() == ["[PAD]", "[UNK]", "[END]"]
    assert tokenizer.get_params()["stop_words"] is None
    assert tokenizer.vocabulary_["story"] == tokenizer._encode(["story"]).ids[0]
