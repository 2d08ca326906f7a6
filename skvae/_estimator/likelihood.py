"""Methods that measure how likely documents are, and what the latents carry."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._base.stacklevel import stacklevel_of_user
from .._network.fitted import FittedAutoencoder
from .._network.likelihood import bounds_of_each, diagnose
from .._texts.characters import Characters
from .._texts.validation import check_documents
from .._writing.options import is_count

_FEW_DRAWS = 5


class LikelihoodMixin:
    """Likelihoods under the autoencoder in `_autoencoder`."""

    _autoencoder: FittedAutoencoder

    def score(self, X: Any, y: Any = None) -> float:
        """Average evidence lower bound (ELBO) of the documents.

        A higher ELBO does not mean better latents. A collapsed model, whose decoder ignores them,
        often has the best ELBO. A smaller vocabulary leaves more tokens unknown, which are easy to
        predict. Only compare models with the same sizes and tokenizer. To compare tokenizers, use
        "nats_per_character" of `diagnostics`.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.
        y : None
            Ignored.

        Returns
        -------
        elbo : float
            Nats per document: of the first `max_length` tokens with a text decoder, of
            the bag of words with "bow".
        """
        return float(self.score_samples(X).mean())

    def score_samples(self, X: Any, *, per_token: bool = False) -> NDArray[np.float64]:
        """Evidence lower bound (ELBO) of each document.

        It depends on the document alone, up to rounding: not on its neighbours in `X`, their order or their number. It is
        estimated from a pair of opposite latents, which the document's content determines.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Texts, or token ids.
        per_token : bool, default=False
            Whether to return nats per token. The ELBO falls with each token, so a long text has a low one whatever it is
            about. In addition, an unknown token then costs the logarithm of the number of token ids, so that foreign
            texts are not likely because they are unknown. Use it to find anomalies and drift, among texts that are
            not much shorter than the others: the KL of a text of a few words is large for each of them.

        Returns
        -------
        elbo : ndarray of shape (n_samples,), dtype float64
            Nats per document: of the first `max_length` tokens with a text decoder, of the bag of words with "bow".
            With `per_token`, nats per token that the decoder predicts: with a text decoder, the end of the text is one; with
            "bow", tokens that `max_df` leaves out are none. A text without such tokens counts as one of one token.

        See Also
        --------
        score : Their average.
        perplexity : The average over tokens, as a perplexity.

        Examples
        --------
        >>> from skvae import TextVAETransformer
        >>> from skvae.datasets import make_reviews
        >>> texts, _ = make_reviews(200, random_state=0)
        >>> vae = TextVAETransformer(decoder="bow", epochs=2, random_state=0).fit(texts)
        >>> own, foreign = vae.score_samples([texts[0], "quarterly earnings fell sharply"], per_token=True)
        >>> bool(own > foreign)
        True
        """
        check_is_fitted(self)
        bounds = [
            bounds_of_each(self._autoencoder, corpus)
            for corpus in self._autoencoder.read_in_blocks(X, fitted=self)
        ]
        return np.concatenate([each.per_token() if per_token else each.elbo for each in bounds])

    def perplexity(self, X: Any) -> float:
        """Perplexity of the documents: the exponential of the average cost of a token.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Documents that were not trained on.

        Returns
        -------
        perplexity : float
            From the ELBO and the cost of unknown tokens, over the tokens that `score_samples` counts. Only compare
            models with the same tokenizer and kind of decoder.

        Raises
        ------
        ValueError
            If no document has a token that counts.
        """
        check_is_fitted(self)
        cost, n_tokens = 0.0, 0
        for corpus in self._autoencoder.read_in_blocks(X, fitted=self):
            bounds = bounds_of_each(self._autoencoder, corpus)
            cost += float((bounds.unknown_cost - bounds.elbo).sum())
            n_tokens += int(bounds.n_tokens.sum())
        if not n_tokens:
            raise ValueError("no document in X has a token that counts; perplexity needs at least one.")
        return float(np.exp(cost / n_tokens))

    def diagnostics(self, X: Any, *, n_importance_samples: int = 0) -> dict[str, float]:
        """Measure what the latents carry.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,), or array of int of shape \
                (n_samples, max_length)
            Documents that were not trained on.
        n_importance_samples : int, default=0
            Latents drawn for each document to estimate "iw_nll"; 0 omits it. The time is proportional to this
            number. Use 500 or more if the KL is tens of nats.

        Returns
        -------
        figures : dict of str to float
            - "elbo", "nll", "kl": nats per document; elbo = -(nll + kl). With a text decoder, the bag-of-words
              loss is not included: it helps training, but is not part of the text's likelihood.
            - "latent_use": increase of "nll", in nats per document, when each document gets the latents of another
              one (permutation importance [2]_; on 2,000 documents at most, evenly spread). At 0, the decoder ignores
              the latents, whatever the KL. A good value is as large as "mutual_information" or "kl". A value far below
              both means that the decoder does not use what the latents carry. It can exceed both, since the
              latents of another document are not only missing but wrong: a decoder that fits the encoder gives
              the sum of mutual information and lautum information [5]_. Omitted for a single document.
            - "mutual_information": of documents and latents, in nats. It is at most the logarithm of the number of
              documents (2,000 at most, evenly spread), and close to it if the latents identify each document.
            - "active_units": number of latent dimensions whose mean varies.
            - "token_accuracy", "majority_token_accuracy": share of tokens that the text decoder
              predicts correctly given the true previous tokens, and the share for always predicting the most
              frequent token; padding is not counted. Not with decoder="bow".
            - "nats_per_character": -elbo plus the cost of spelling out the unknown tokens, divided by the number of
              characters that the decoder reads. Use it to compare
              tokenizers: a small vocabulary makes texts likely by leaving them unknown. Spelling costs
              log(n + 1) nats for each character and for the end of the token [3]_, where n is the number
              of distinct characters in `X`. Not with decoder="bow", nor for token ids.
            - "iw_nll": importance-weighted negative log-likelihood [1]_, nats per document; closer to
              the true value than -elbo. Use it to compare with the likelihoods of other models.
            - "iw_ess": effective sample size [4]_ of the draws behind "iw_nll", from 1 to
              `n_importance_samples`, mean over documents. If it is small, "iw_nll" is too high.

        Warns
        -----
        UserWarning
            If "iw_ess" is below 5.

        References
        ----------
        .. [1] Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders",
           ICLR 2016. https://arxiv.org/abs/1509.00519
        .. [2] L. Breiman, "Random Forests", Machine Learning 45, 2001, section 10.
           https://doi.org/10.1023/A:1010933404324
        .. [3] S. J. Mielke and J. Eisner, "Spell Once, Summon Anywhere: A Two-Level Open-Vocabulary Language
           Model", AAAI 2019. https://arxiv.org/abs/1804.08205
        .. [4] A. Kong, "A Note on Importance Sampling Using Standardized Weights", technical report
           348, Department of Statistics, University of Chicago, 1992.
        .. [5] D. P. Palomar and S. Verdú, "Lautum Information", IEEE Transactions on Information Theory 54 (3),
           2008, pages 964-975.
        """
        check_is_fitted(self)
        if not is_count(n_importance_samples, 0):
            raise ValueError(f"n_importance_samples={n_importance_samples!r}; expected an int of at least 0.")
        characters, tokenizer = None, self._autoencoder.tokenizer
        X = check_documents(X, fitted=self)
        if tokenizer is not None and isinstance(X, list) and self._autoencoder.has_text_decoder:
            characters = Characters.of_texts(X, tokenizer, self._autoencoder.max_length)
        documents = self._autoencoder.prepare(self._autoencoder.read(X))
        figures = diagnose(self._autoencoder, documents, int(n_importance_samples), characters)
        if n_importance_samples and figures["iw_ess"] < _FEW_DRAWS:
            warnings.warn(
                f"iw_nll rests on few latents: of {n_importance_samples} drawn for each document, the effective sample"
                f" size is {figures['iw_ess']:.2g}, so the estimate is too high. Raise n_importance_samples, and"
                " only compare estimates with the same number of samples.",
                UserWarning,
                stacklevel=stacklevel_of_user(),
            )
        return figures
