"""Texts to token ids and back to readable text."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import groupby
from numbers import Integral, Real
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from sklearn.utils.validation import check_is_fitted

from ._base.stacklevel import stacklevel_of_user
from ._estimator.sklearn import DocumentedMixin, HasMethods, Interval, StrOptions, fit_context
from ._estimator.storing import StoredMixin
from ._texts.corpus import Corpus
from ._texts.ids import BOUNDARY_ID, FIRST_TOKEN_ID, UNKNOWN_ID
from ._texts.splitting import (
    TOKEN_PATTERN,
    Tokens,
    clean,
    is_word,
    read_lists,
    split_by_pattern,
    split_characters,
    split_words,
)
from ._texts.splitting_v1 import FirstSplitting
from ._texts.subwords import Subwords
from ._texts.validation import (
    check_texts,
    check_token_matrix,
    read_texts,
    resolve_threshold,
    warn_if_renamed,
)
from ._texts.vocabulary import Vocabulary, choose_words, document_frequency, given_words

__all__ = ["BOUNDARY_ID", "TOKEN_PATTERN", "UNKNOWN_ID", "TextTokenizer"]

_RESERVED = ("[PAD]", "[UNK]", "[END]")
# With fewer documents or words, the statistics are too uncertain for a warning.
_DOCUMENTS_TO_JUDGE_BY, _WORDS_TO_JUDGE_BY, _RUNNING_WORDS_TO_COMPARE = 100, 500, 200
# Overlap is the sum over the words of the smaller of their two shares: 0.75 between 60 film reviews and 3,000 others,
# 0.3 between questions or image captions and film reviews, 0.1 between news without function words and film reviews.
_LITTLE_OVERLAP = 0.25


class TextTokenizer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, StoredMixin, DocumentedMixin, BaseEstimator
):
    """Turn texts into padded matrices of token ids, and ids back into readable text.

    Tokens of marks record where there was no space beside them, so texts are restored as they were
    written, in any language. Characters are grapheme clusters [1]_: an emoji with a skin tone, a flag
    or a letter with its accents is never split. Every distinct chunk between white space is split only once.

    Texts are cleaned before they are split, unless `analyzer` is a callable. HTML line breaks (`<br />`) become
    spaces. Letters and their accents are composed (Unicode NFC), and lone surrogates become U+FFFD. Soft hyphens,
    zero-width spaces, direction marks, control characters and other invisible characters are removed. For
    "word" and "bpe", any run of white space counts as one space and is restored as one. "char" keeps each
    white-space character.

    For "word" and a callable `analyzer`, texts can also be lists of tokens: each row is a list of `str`. With
    "word", each of these is one token, after cleaning. Rows of one `str` each are a column of texts, unless the
    tokenizer was fitted on lists of tokens.

    Parameters
    ----------
    analyzer : {"word", "char", "bpe"} or callable, default="word"
        The kind of tokens. "word": words, numbers and marks (punctuation, symbols, emoji). "char": single
        characters. "bpe": subwords learned by byte-pair encoding [2]_, for large or open
        vocabularies and for languages with many inflections. "char" and "bpe" suit languages
        written without spaces. A callable gets each unchanged text and returns its tokens, which are
        decoded with spaces between them. It is pickled by its name, so it must be importable.

    lowercase : bool, default=True
        Whether to lowercase the texts first. Not for a callable `analyzer`.

    stop_words : {"english"}, list of str or None, default=None
        Words that say nothing about the content. An estimator that contains the tokenizer leaves them out of
        its bag of words and of its lexical n-grams. They keep their ids, because a text decoder must be able to
        write them. "english" is scikit-learn's list. Not for "char" and "bpe", whose tokens are not words.

    token_pattern : str or None, default=None
        Regular expression of a token, instead of that of "word". If it has one group, the token is the content of
        the group. To protect some tokens, put them in front of the default pattern:
        `token_pattern=r"<unk>|@\\w+|" + skvae.tokenization.TOKEN_PATTERN`.

    max_features : int, default=10_000
        Keep this many tokens, the most frequent ones. For "bpe", the number of subwords.

    min_df : int or float, default=1
        Leave out tokens found in fewer documents than this (a count if int, a share of the
        documents if float). For "bpe", the number of times that a pair of subwords must occur
        to be merged.

    vocabulary : mapping of str to int, iterable of str or None, default=None
        The tokens that get ids, in this order or in the order of their numbers, for example `vocabulary_` of
        another tokenizer. `max_features` and `min_df` are then not used. Not for "bpe".

    max_length : int, default=64
        Number of columns of the matrix that `transform` returns. Longer documents are truncated.

    padding : {"post", "pre"}, default="post"
        Whether `transform` fills shorter documents with 0 at their end or at their beginning. It makes no
        difference to an autoencoder.

    truncation : {"post", "pre"}, default="post"
        Whether longer documents are cut at their end or at their beginning.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Id of each token, from 3 upwards. Ids 0 (padding), 1 (unknown) and 2 (document boundary) are reserved and not in it.
        For "word" and "char", ids are in order of decreasing frequency, with two exceptions. If an estimator was given
        texts without labels, words that labelled texts repeat come before all others. A given `vocabulary` has its own order.
        A mark that is written with different spacing has several ids. The first one in this order has the mark as its
        name. The others show what stands on either side, "▁" a space and "￭" none: '▁"￭' opens
        a quotation, "￭.￭" is the full stop within "U.S". A spacing without its own id is read as the first one.

    tokens_ : ndarray of shape (n_tokens,), dtype object
        Token of each id, including the reserved ids. Their names, "[PAD]", "[UNK]" and "[END]", are
        ordinary text in texts.

    document_frequency_ : ndarray of shape (n_tokens,), dtype int64
        Number of training documents that contain each id, including the reserved ids.

    n_documents_ : int
        Number of training documents.

    n_tokens_ : int
        Number of ids, including the reserved ids.

    See Also
    --------
    TextVAETransformer : Contains a tokenizer, so that texts can be passed to it directly.
    sklearn.feature_extraction.text.CountVectorizer : Counts without order; cannot restore texts.

    References
    ----------
    .. [1] Unicode Standard Annex #29, "Unicode Text Segmentation". https://unicode.org/reports/tr29/
    .. [2] R. Sennrich, B. Haddow and A. Birch, "Neural Machine Translation of Rare Words
       with Subword Units", ACL 2016. https://aclanthology.org/P16-1162/

    Examples
    --------
    >>> from skvae import TextTokenizer
    >>> tokenizer = TextTokenizer(max_length=8).fit(["Don't stop, it's great!"])
    >>> ids = tokenizer.transform(["It's great, don't stop!"])
    >>> ids.shape, ids.dtype
    ((1, 8), dtype('int32'))
    >>> tokenizer.inverse_transform(ids)
    array(["it's great, don't stop!"], dtype=object)
    """

    # Created on first access.
    _names: NDArray[np.object_] | None = None
    # Whether the training texts were lists of tokens: a list of one `str` is then not a text.
    _from_lists = False
    _table: Vocabulary | Subwords | FirstSplitting

    _parameter_constraints: dict[str, list[Any]] = {
        "analyzer": [StrOptions({"word", "char", "bpe"}), callable],
        "lowercase": ["boolean"],
        "stop_words": [StrOptions({"english"}), list, tuple, set, frozenset, None],
        "token_pattern": [str, None],
        "max_features": [Interval(Integral, 1, None, closed="left")],
        "min_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0.0, 1.0, closed="both")],
        "vocabulary": [Mapping, HasMethods("__iter__"), None],
        "max_length": [Interval(Integral, 1, None, closed="left")],
        "padding": [StrOptions({"post", "pre"})],
        "truncation": [StrOptions({"post", "pre"})],
    }

    def __init__(
        self,
        analyzer: str | Callable[[str], Iterable[str]] = "word",
        *,
        lowercase: bool = True,
        stop_words: Any = None,
        token_pattern: str | None = None,
        max_features: int = 10_000,
        min_df: float = 1,
        vocabulary: Any = None,
        max_length: int = 64,
        padding: str = "post",
        truncation: str = "post",
    ) -> None:
        self.analyzer = analyzer
        self.lowercase = lowercase
        self.stop_words = stop_words
        self.token_pattern = token_pattern
        self.max_features = max_features
        self.min_df = min_df
        self.vocabulary = vocabulary
        self.max_length = max_length
        self.padding = padding
        self.truncation = truncation

    def fit(self, X: Any, y: Any = None) -> TextTokenizer:
        """Learn the vocabulary.

        Parameters
        ----------
        X : 1-D collection of str, or of lists of str, of shape (n_samples,)
            The training texts, or their tokens.
        y : None
            Ignored.

        Returns
        -------
        self : TextTokenizer

        Raises
        ------
        ValueError
            If a parameter, or the shape or a row of `X`, is wrong, or if no token is left.
        TypeError
            If a row of `X` is not a `str`.
        """
        self._fit(X)
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> NDArray[np.int32]:
        """Learn the vocabulary and return the ids of the same texts, encoding them once.

        Parameters
        ----------
        X : 1-D collection of str, or of lists of str, of shape (n_samples,)
            The training texts, or their tokens.
        y : None
            Ignored.
        **fit_params : dict
            Not used; present for the signature of `TransformerMixin`.

        Returns
        -------
        ids : ndarray of shape (n_samples, max_length), dtype int32
        """
        return self._pad(self._fit(X))

    def transform(self, X: Any) -> NDArray[np.int32]:
        """Encode texts as padded token ids.

        Parameters
        ----------
        X : 1-D collection of str, or of lists of str, of shape (n_samples,)
            The texts, or their tokens. Tokens that are not in the vocabulary become 1 (unknown).

        Returns
        -------
        ids : ndarray of shape (n_samples, max_length), dtype int32
            Token ids; 0 fills documents that are shorter than `max_length`.
        """
        check_is_fitted(self)
        warn_if_renamed(X, self)
        return self._pad(self._encode(check_texts(X, in_lists=self._from_lists)))

    def inverse_transform(self, X: Any) -> NDArray[np.object_]:
        """Write token ids as readable text, with spacing and punctuation restored.

        Parameters
        ----------
        X : array-like of int of shape (n_samples, n_columns)
            Token ids. Padding, unknown and boundary ids are left out.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            One `str` per document.
        """
        check_is_fitted(self)
        return self._decode(Corpus.from_matrix(check_token_matrix(X, n_tokens=self.n_tokens_)))

    @fit_context
    def _fit(self, X: Any) -> Corpus:
        """Learn the vocabulary and return the whole documents, without truncation or padding."""
        texts, column = read_texts(X)
        corpus = self._learn(texts)
        self._column_name = column
        return corpus

    def _learn(self, texts: list[Any], n_first: int = 0) -> Corpus:
        """Like `_fit`, for validated texts; words of the first `n_first` texts are kept before all others."""
        self._check_combinations()
        table: Vocabulary | Subwords
        if self.analyzer == "bpe":
            self._refuse_lists(texts)
            min_frequency = max(2, int(np.ceil(resolve_threshold(self.min_df, len(texts)))))
            table, corpus = Subwords.learn(self._cleaned(texts), self.max_features, min_frequency)
            if not table.names():
                self._raise_that_nothing_is_left()
        else:
            tokens = self._split(texts)
            table = self._learn_vocabulary(tokens, n_first if n_first < len(texts) else 0)
            corpus = table.encode(tokens)
            self._warn_if_words_are_rare(tokens)
            _warn_if_words_differ(tokens, n_first)
        n_tokens = FIRST_TOKEN_ID + len(table.names())
        fitted = {
            "_table": table,
            "n_documents_": len(texts),
            "_column_name": None,
            "n_tokens_": n_tokens,
            "document_frequency_": document_frequency(corpus, n_tokens),
            "_stop_ids": self._ids_of_stop_words(table),
            "_from_lists": isinstance(texts[0], list),
        }
        # Set last, so that a failing fit leaves the tokenizer unchanged.
        self.__dict__.pop("_names", None)
        self.__dict__.update(fitted)
        return corpus

    def _encode(self, texts: list[Any]) -> Corpus:
        """Whole documents, without truncation or padding, from validated texts."""
        table = self._table
        if isinstance(table, FirstSplitting):
            self._refuse_lists(texts)
            return table.encode(texts)
        if isinstance(table, Subwords):
            self._refuse_lists(texts)
            return table.encode_texts(self._cleaned(texts))
        if isinstance(texts[0], list) and not (self._from_lists or callable(self.analyzer)):
            # A row of one str is read as a text, whatever the other rows are.
            alone = np.array([len(row) == 1 for row in texts])
            rows = [np.flatnonzero(alone), np.flatnonzero(~alone)]
            parts = [[texts[row][0] for row in rows[0]], [texts[row] for row in rows[1]]]
            corpus = Corpus.concatenate(table.encode(self._split(part)) for part in parts if part)
            return corpus.take(np.argsort(np.concatenate(rows)))
        return table.encode(self._split(texts))

    def _decode(self, corpus: Corpus) -> NDArray[np.object_]:
        """Whole documents as readable texts, of shape (n_documents,)."""
        table = self._table
        texts = np.empty(len(corpus), dtype=object)
        for row in range(len(corpus)):
            ids = corpus.ids[corpus.starts[row] : corpus.starts[row + 1]]
            texts[row] = table.text(ids[ids >= FIRST_TOKEN_ID])
        return texts

    def _phrase(self, ids: NDArray[np.integer]) -> str:
        """An n-gram as it stands in a text, reserved ids by their names."""
        space = "" if self.analyzer == "char" else " "
        parts = []
        for known, run in groupby(ids.tolist(), lambda each: each >= FIRST_TOKEN_ID):
            own = np.array(list(run))
            # A subword of nothing but a space is a text of nothing.
            text = self._table.text(own) if known else ""
            parts.append(text or space.join(map(str, self.tokens_[own])))
        return space.join(parts)

    def _exact(self, texts: list[Any]) -> tuple[Corpus, Vocabulary | Subwords | FirstSplitting]:
        """Ids that stand for all tokens as they are written, known or not, and the table that they belong to."""
        table = self._table
        if not isinstance(table, Vocabulary) or (isinstance(texts[0], list) and not self._from_lists):
            return self._encode(texts), table
        tokens = self._split(texts, lowercase=False)
        table = table.with_forms_of(tokens)
        return table.encode(tokens), table

    @property
    def tokens_(self) -> NDArray[np.object_]:
        check_is_fitted(self)
        if self._names is None:
            names = np.empty(self.n_tokens_, dtype=object)
            names[:] = [*_RESERVED, *self._table.names()]
            self._names = names
        return self._names

    def _forms(self) -> list[str]:
        """Written form of each id, without spacing marks for words and with their marks for subwords."""
        table = self._table
        names = table.words if isinstance(table, Vocabulary) else table.names()
        return ["", "", "", *names]

    @property
    def vocabulary_(self) -> dict[str, int]:
        return {token: int(index) for index, token in enumerate(self.tokens_) if index >= FIRST_TOKEN_ID}

    @property
    def _n_features_out(self) -> int:
        check_is_fitted(self)
        return self.max_length

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_tokens_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _to_store(self, state: dict[str, Any]) -> dict[str, Any]:
        state.pop("_names", None)
        table = state.pop("_table", None)
        if isinstance(table, FirstSplitting):
            state["_engine"] = table.stored
        elif isinstance(table, Subwords):
            state["_engine"], state["_clusters"] = table.engine.to_str(), json.dumps(table.clusters)
        elif isinstance(table, Vocabulary):
            state["_words"], state["_spacing"] = json.dumps(table.words), table.spacing
            state["_separator"] = table.separator
        return state

    def _from_store(self, state: dict[str, Any]) -> dict[str, Any]:
        # Format 1 had fewer parameters.
        state = {"stop_words": None, "token_pattern": None, "vocabulary": None, "_stop_ids": None} | state
        if "_words" in state:
            words, spacing = json.loads(state.pop("_words")), np.array(state.pop("_spacing"))
            state["_table"] = Vocabulary(words, spacing, state.pop("_separator"))
        elif "_clusters" in state:
            from tokenizers import Tokenizer

            engine = Tokenizer.from_str(state.pop("_engine"))
            state["_table"] = Subwords(engine, json.loads(state.pop("_clusters")))
        elif "_engine" in state:
            state["_table"] = FirstSplitting(state.pop("_engine"), state["analyzer"], state["lowercase"])
        return state

    def _pad(self, corpus: Corpus) -> NDArray[np.int32]:
        return corpus.padded(self.max_length, padding=self.padding, truncation=self.truncation)

    def _cleaned(self, texts: Iterable[str]) -> Iterable[str]:
        return (clean(text, self.lowercase) for text in texts)

    def _split(self, texts: list[Any], *, lowercase: bool | None = None) -> Tokens:
        """The tokens of documents, with or without an id; `lowercase` overrides the parameter."""
        if callable(self.analyzer):
            return read_lists(map(self._analyzed, texts))
        cleaned = partial(clean, lowercase=self.lowercase if lowercase is None else lowercase)
        if isinstance(texts[0], list) and self.analyzer == "word":
            return read_lists([*map(cleaned, tokens)] for tokens in texts)
        self._refuse_lists(texts)
        if self.analyzer == "char":
            return split_characters(map(cleaned, texts))
        if self.token_pattern is None:
            return split_words(map(cleaned, texts))
        as_in_lower_case = self.lowercase and lowercase is False
        return split_by_pattern(
            map(cleaned, texts), self._compiled_pattern(), as_in_lower_case=as_in_lower_case
        )

    def _written(self, text: Any) -> list[str]:
        """The tokens of a document, with or without an id, as they are written."""
        if not isinstance(self._table, Vocabulary):
            return [str(token) for token in self.tokens_[self._encode([text]).ids]]
        tokens = self._split([text])
        return [tokens.words[word] for word in tokens.word[tokens.corpus.ids]]

    def _refuse_lists(self, texts: list[Any]) -> None:
        if isinstance(texts[0], list):
            raise ValueError(
                f"X holds lists of tokens, but analyzer={self.analyzer!r} splits texts into other tokens; set analyzer='word', or"
                " join the tokens of each text: ' '.join(tokens)."
            )

    def _analyzed(self, text: str) -> list[str]:
        assert callable(self.analyzer)
        tokens = self.analyzer(text)
        if isinstance(tokens, str) or not isinstance(tokens, Iterable):
            raise TypeError(
                f"analyzer returned {type(tokens).__name__} ({tokens!r:.60}); expected a list of str, the tokens of the text."
            )
        tokens = list(tokens)
        for token in tokens:
            if not isinstance(token, str):
                raise TypeError(
                    f"analyzer returned a list with {type(token).__name__} ({token!r:.60}); expected tokens (str)."
                )
        return tokens

    def _compiled_pattern(self) -> Any:
        try:
            pattern = regex.compile(self.token_pattern)
        except regex.error as error:
            raise ValueError(
                f"token_pattern={self.token_pattern!r} is not a regular expression: {error}."
            ) from error
        if pattern.groups > 1:
            raise ValueError(
                f"More than 1 capturing group in token_pattern ({pattern.groups} in {self.token_pattern!r}); expected one at"
                " most. Write (?:...) for the others."
            )
        return pattern

    def _check_combinations(self) -> None:
        """Refuse parameters that the analyzer cannot use."""
        if self.token_pattern is not None:
            if self.analyzer != "word":
                raise ValueError(
                    f"token_pattern defines words, but analyzer={self.analyzer!r} does not split into words; remove"
                    " token_pattern or set analyzer='word'."
                )
            self._compiled_pattern()
        if self.stop_words is not None and self.analyzer in ("char", "bpe"):
            raise ValueError(
                f"stop_words are words, but analyzer={self.analyzer!r} does not split into words; remove stop_words or"
                " set analyzer='word'. max_df of the estimator removes frequent tokens from the bag of words."
            )
        if self.stop_words is not None and not isinstance(self.stop_words, str):
            wrong = [word for word in self.stop_words if not isinstance(word, str)]
            if wrong:
                raise ValueError(f"stop_words holds {wrong[0]!r}; expected words (str).")
        if self.vocabulary is not None and self.analyzer == "bpe":
            raise ValueError(
                "a fixed vocabulary does not determine how subwords are merged; remove vocabulary, or pass a fitted"
                " tokenizer in a sklearn.frozen.FrozenEstimator."
            )

    def _learn_vocabulary(self, tokens: Tokens, n_first: int) -> Vocabulary:
        separator = "" if self.analyzer == "char" else " "
        if self.vocabulary is not None:
            return Vocabulary(*given_words(tokens, self._given_vocabulary()), separator)
        words, spacing = choose_words(
            tokens,
            max_features=self.max_features,
            min_count=resolve_threshold(self.min_df, len(tokens.corpus)),
            n_first=n_first,
        )
        if not len(words):
            self._raise_that_nothing_is_left()
        return Vocabulary(words, spacing, separator)

    def _raise_that_nothing_is_left(self) -> None:
        raise ValueError(
            "empty vocabulary: no token is left. Pass texts with at least one "
            + self._unit()
            + f", or lower min_df (got {self.min_df!r})."
        )

    def _unit(self) -> str:
        """Name of a token in messages."""
        if callable(self.analyzer):
            return "token of what analyzer returns"
        if self.token_pattern is not None:
            return f"match of token_pattern={self.token_pattern!r}"
        return "character" if self.analyzer == "char" else "word"

    def _given_vocabulary(self) -> list[str]:
        """The names in `vocabulary`, in the order of their ids."""
        given = self.vocabulary
        if isinstance(given, str):
            raise ValueError(f"vocabulary is one str ({given!r:.60}); expected a mapping or a list of str.")
        names = list(given)
        wrong = [name for name in names if not isinstance(name, str) or not name]
        if wrong:
            raise ValueError(
                f"vocabulary holds {wrong[0]!r}; expected tokens (str of at least one character)."
            )
        if isinstance(given, Mapping):
            wrong = [number for number in given.values() if not isinstance(number, Integral)]
            if wrong:
                raise ValueError(
                    f"vocabulary gives a token the number {wrong[0]!r}; expected an int for each."
                )
            names.sort(key=given.__getitem__)
        elif isinstance(given, set | frozenset):
            names.sort()
        if not names:
            raise ValueError("empty vocabulary passed to fit; expected at least one token, or None.")
        if len(set(names)) < len(names):
            twice = next(name for place, name in enumerate(names) if name in names[:place])
            raise ValueError(f"Duplicate term in vocabulary: {twice!r}; expected each token once.")
        if isinstance(given, Mapping) and len(set(given.values())) < len(names):
            raise ValueError(
                "vocabulary gives two tokens the same number; expected a different number for each."
            )
        if self.lowercase and not callable(self.analyzer):
            upper = next((name for name in names if name != name.lower()), None)
            if upper is not None:
                warnings.warn(
                    f"vocabulary holds {upper!r}, which occurs in no text with lowercase=True; write it in lower case, or set"
                    " lowercase=False.",
                    UserWarning,
                    stacklevel=stacklevel_of_user(),
                )
        return names

    def _ids_of_stop_words(self, table: Vocabulary | Subwords) -> NDArray[np.int64] | None:
        if self.stop_words is None:
            return None
        if isinstance(self.stop_words, str):
            words = set(ENGLISH_STOP_WORDS)
        else:
            words = set(self.stop_words if callable(self.analyzer) else self._cleaned(self.stop_words))
        assert isinstance(table, Vocabulary)
        found = [index for index, word in enumerate(table.words) if word in words]
        if len(found) == len(table.words):
            raise ValueError(
                f"empty vocabulary: all {len(found)} tokens are among stop_words, so the bag of words has"
                " nothing to count. Remove stop_words, or pass texts with other words."
            )
        return np.array(found, dtype=np.int64) + FIRST_TOKEN_ID

    def _warn_if_words_are_rare(self, tokens: Tokens) -> None:
        """Warn if most words occur once, as in languages without spaces."""
        if self.analyzer != "word" or len(tokens.corpus) < _DOCUMENTS_TO_JUDGE_BY:
            return
        frequency = np.bincount(tokens.corpus.ids, minlength=len(tokens.word))
        frequency = np.bincount(tokens.word, weights=frequency, minlength=len(tokens.words))
        frequency = frequency[np.fromiter(map(is_word, tokens.words), dtype=bool, count=len(tokens.words))]
        n_words, once = int(frequency.sum()), int((frequency == 1).sum())
        if n_words >= _WORDS_TO_JUDGE_BY and once > n_words / 2:
            # Rounded to tenths, so that all fits of a cross-validation give the same warning, which is shown once.
            warnings.warn(
                f"about {10 * once / n_words:.0f} in 10 words of the texts occur once, so little can be learned about"
                " them: the texts seem to be in a language that is written without spaces. Set analyzer='char' or analyzer='bpe'.",
                UserWarning,
                stacklevel=stacklevel_of_user(),
            )


def _warn_if_words_differ(tokens: Tokens, n_first: int) -> None:
    """Warn if unlabelled documents are on another topic than the labelled ones, which come first."""
    words = np.fromiter(map(is_word, tokens.words), dtype=bool, count=len(tokens.words))
    shares = []
    for ids in np.split(tokens.corpus.ids, [tokens.corpus.starts[n_first]]):
        counts = np.bincount(tokens.word[ids], minlength=len(words)) * words
        if counts.sum() < _RUNNING_WORDS_TO_COMPARE:
            return
        shares.append(counts / counts.sum())
    overlap = float(np.minimum(*shares).sum())
    if overlap < _LITTLE_OVERLAP:
        warnings.warn(
            f"the words of labelled and of unlabelled texts hardly overlap ({round(100 * overlap, -1):.0f} %; texts"
            " of one kind overlap by 70 % or more): the latents will represent the unlabelled texts, and most of max_features"
            " is used for words of the labelled ones. Remove X_unlabeled, or pass texts like those to be classified.",
            UserWarning,
            stacklevel=stacklevel_of_user(),
        )
