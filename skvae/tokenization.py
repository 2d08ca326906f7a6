"""Texts to token ids and back to readable text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import chain, compress
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ._containers import column_name
from ._corpus import Corpus, ragged_positions
from ._sklearn import DocumentedMixin, Interval, StrOptions, fit_context
from ._state import StoredMixin
from ._validation import (
    FIRST_TOKEN_ID,
    check_texts,
    check_token_matrix,
    resolve_threshold,
    warn_if_renamed,
)

UNKNOWN_ID = 1
BOUNDARY_ID = 2

_RESERVED = ("[PAD]", "[UNK]", "[END]")
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_SPACE_MARK = "\u2581"

# Numbers keep their inner punctuation ("7/10", "3.5") and words their apostrophe
# ("don't"), so that what comes back from ids can be written as it was.
_WORD_PATTERN = r"\w+(?:'\w+|(?<=\d)[.,:/]\d+)*|\.{2,}|[!?]+|[^\w\s]"
_WORD_OR_END = re.compile(rf"{_WORD_PATTERN}|\n")

# Straight quotes say nothing about the side they belong to. Inside the vocabulary
# they are directed, so that decoding knows where the space goes.
_QUOTE_OR_DASH = re.compile(r"[\"“”'‘’-]")
_DIRECTED = (
    (re.compile(r"(?<=\w)[’‘](?=\w)"), "'"),
    (re.compile(r"(?<![\w.,;:!?)\]])[\"“”](?=[\w.$£€#'‘’])"), "“"),
    (re.compile(r"[\"”]"), "”"),
    (re.compile(r"(?<![\w.,;:!?)\]])['‘’](?=[\w.$£€#])"), "‘"),
    (re.compile(r"(?<!\w)'|'(?!\w)"), "’"),
    (re.compile(r"^-+$|-{2,}", re.MULTILINE), "–"),
)
_NO_SPACE_BEFORE = re.compile(r" ([.,;:)\]}”’%…]|[!?]+|\.{2,})(?= |$)")
_NO_SPACE_AFTER = re.compile(r"(?<!\S)([(\[{“‘$£€#]) ")
_NO_SPACE_AROUND = re.compile(r"(?<=\w) ([-/_&]) (?=\w)")
_STRAIGHT_QUOTES = str.maketrans("“”‘’", "\"\"''")

_CHUNKS_PER_BLOCK = 50_000


class TextTokenizer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, StoredMixin, DocumentedMixin, BaseEstimator
):
    """Turn texts into padded matrices of token ids, and ids back into readable text.

    The splitting and the merging of subwords run in the Rust library `tokenizers`;
    every distinct chunk between white space is encoded once.

    Parameters
    ----------
    analyzer : {"word", "char", "bpe"}, default="word"
        What a token is. "word": words, numbers and punctuation marks. "char": single
        characters. "bpe": subwords learned by byte-pair encoding [1]_, for large or open
        vocabularies and for languages with rich endings. "char" and "bpe" suit languages
        written without spaces.

    lowercase : bool, default=True
        Whether to lowercase the texts first.

    max_features : int, default=10_000
        Keep this many tokens, the most frequent ones. For "bpe", the number of subwords.

    min_df : int or float, default=1
        Leave out tokens found in fewer documents than this (a count if int, a share of the
        documents if float). For "bpe", the number of times that a pair of subwords must occur
        before it is merged.

    max_length : int, default=64
        Number of columns of the matrix that `transform` returns. Longer documents are cut.

    padding : {"post", "pre"}, default="post"
        Whether `transform` fills shorter documents with 0 at their end or at their beginning. It makes no
        difference to an autoencoder.

    truncation : {"post", "pre"}, default="post"
        Whether longer documents lose their end or their beginning.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Id of each token, from 3 upwards in order of decreasing frequency for "word" and
        "char". Ids 0 (padding), 1 (unknown) and 2 (document boundary) are reserved and not in it.

    tokens_ : ndarray of shape (n_tokens,), dtype object
        Token of each id, reserved ones included.

    document_frequency_ : ndarray of shape (n_tokens,), dtype int64
        Number of training documents that each id occurs in, reserved ids included.

    n_documents_ : int
        Number of training documents.

    n_tokens_ : int
        Number of ids, reserved ones included.

    See Also
    --------
    TextVAETransformer : Holds a tokenizer, so that texts can be passed to it directly.
    sklearn.feature_extraction.text.CountVectorizer : Counts without order; no way back.

    References
    ----------
    .. [1] R. Sennrich, B. Haddow and A. Birch, "Neural Machine Translation of Rare Words
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

    _parameter_constraints: dict[str, list[Any]] = {
        "analyzer": [StrOptions({"word", "char", "bpe"})],
        "lowercase": ["boolean"],
        "max_features": [Interval(Integral, 1, None, closed="left")],
        "min_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0.0, 1.0, closed="both")],
        "max_length": [Interval(Integral, 1, None, closed="left")],
        "padding": [StrOptions({"post", "pre"})],
        "truncation": [StrOptions({"post", "pre"})],
    }

    def __init__(
        self,
        analyzer: str = "word",
        *,
        lowercase: bool = True,
        max_features: int = 10_000,
        min_df: float = 1,
        max_length: int = 64,
        padding: str = "post",
        truncation: str = "post",
    ) -> None:
        self.analyzer = analyzer
        self.lowercase = lowercase
        self.max_features = max_features
        self.min_df = min_df
        self.max_length = max_length
        self.padding = padding
        self.truncation = truncation

    def fit(self, X: Any, y: Any = None) -> TextTokenizer:
        """Learn the vocabulary.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,)
            The training texts.
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
        self.fit_corpus(X)
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> NDArray[np.int32]:
        """Learn the vocabulary and return the ids of the same texts, encoding them once.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,)
            The training texts.
        y : None
            Ignored.
        **fit_params : dict
            None is accepted; here because `TransformerMixin` has it.

        Returns
        -------
        ids : ndarray of shape (n_samples, max_length), dtype int32
        """
        return self._pad(self.fit_corpus(X))

    def transform(self, X: Any) -> NDArray[np.int32]:
        """Encode texts as padded token ids.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,)
            The texts. Tokens that training did not see become 1 (unknown).

        Returns
        -------
        ids : ndarray of shape (n_samples, max_length), dtype int32
            Token ids, 0 where a document is shorter than `max_length`.
        """
        check_is_fitted(self)
        warn_if_renamed(X, self)
        return self._pad(self.encode(X))

    def inverse_transform(self, X: Any) -> NDArray[np.object_]:
        """Write token ids as readable text, with spacing and punctuation restored.

        Parameters
        ----------
        X : array-like of int of shape (n_samples, n_columns)
            Token ids. Padding, unknown and boundary ids are left out.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
            One `str` a document.
        """
        check_is_fitted(self)
        return self.decode(Corpus.from_matrix(check_token_matrix(X, n_tokens=self.n_tokens_)))

    @fit_context
    def fit_corpus(self, X: Any) -> Corpus:
        """Learn the vocabulary and return the whole documents, neither cut nor padded.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,)
            The training texts.

        Returns
        -------
        corpus : Corpus
        """
        column, texts = column_name(X), check_texts(X)
        chunks = self._chunked(texts)
        engine = self._untrained_engine()
        if self.analyzer == "bpe":
            engine.train_from_iterator(map(self._clean, texts), self._bpe_trainer(len(texts)))
            corpus = chunks.encode(engine, {})
        else:
            engine, corpus = self._count_vocabulary(engine, chunks)
        self._engine = engine
        self._token_table = _tokens_by_id(engine)
        self._id_table = _ids_by_token(self._token_table)
        self.n_documents_ = len(texts)
        self._column_name = column
        self.n_tokens_ = engine.get_vocab_size(with_added_tokens=True)
        self.document_frequency_ = np.diff(corpus.counts(self.n_tokens_).tocsc().indptr.astype(np.int64))
        return corpus

    def encode(self, X: Any) -> Corpus:
        """Encode whole documents, neither cut nor padded.

        Parameters
        ----------
        X : 1-D collection of str of shape (n_samples,)
            The texts.

        Returns
        -------
        corpus : Corpus
        """
        return self._chunked(check_texts(X)).encode(self._engine, self._ids_of)

    def decode(self, corpus: Corpus) -> NDArray[np.object_]:
        """Write whole documents as readable text.

        Parameters
        ----------
        corpus : Corpus
            Token ids of n_samples documents.

        Returns
        -------
        texts : ndarray of shape (n_samples,), dtype object
        """
        tokens = self.tokens_
        separator = " " if self.analyzer == "word" else ""
        texts = np.empty(len(corpus), dtype=object)
        for row in range(len(corpus)):
            ids = corpus.ids[corpus.starts[row] : corpus.starts[row + 1]]
            texts[row] = self._tidy(separator.join(tokens[ids[ids >= FIRST_TOKEN_ID]]))
        return texts

    @property
    def tokens_(self) -> NDArray[np.object_]:
        check_is_fitted(self)
        table = getattr(self, "_token_table", None)
        if table is None or len(table) != self.n_tokens_:
            table = _tokens_by_id(self._engine)
            self._token_table = table
        return table

    @property
    def _ids_of(self) -> dict[str, int]:
        tokens = self.tokens_
        table: dict[str, int] = getattr(self, "_id_table", {})
        if len(table) != len(tokens):
            table = _ids_by_token(tokens)
            self._id_table = table
        return table

    @property
    def vocabulary_(self) -> dict[str, int]:
        return {token: int(index) for index, token in enumerate(self.tokens_) if index >= FIRST_TOKEN_ID}

    @property
    def _n_features_out(self) -> int:
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
        for cached in ("_token_table", "_id_table"):
            state.pop(cached, None)
        if "_engine" in state:
            state["_engine"] = self._engine.to_str()
        return state

    def _from_store(self, state: dict[str, Any]) -> dict[str, Any]:
        from tokenizers import Tokenizer

        if "_engine" in state:
            state["_engine"] = Tokenizer.from_str(state["_engine"])
        return state

    def _pad(self, corpus: Corpus) -> NDArray[np.int32]:
        return corpus.padded(self.max_length, padding=self.padding, truncation=self.truncation)

    def _tidy(self, text: str) -> str:
        if self.analyzer == "char":
            return text
        if self.analyzer == "bpe":
            return text.replace(_SPACE_MARK, " ").strip()
        text = _NO_SPACE_BEFORE.sub(r"\1", text)
        text = _NO_SPACE_AFTER.sub(r"\1", text)
        return _NO_SPACE_AROUND.sub(r"\1", text).translate(_STRAIGHT_QUOTES)

    def _clean(self, text: str) -> str:
        """White space for HTML line breaks, composed and, where asked for, lowercase letters."""
        if "<" in text:
            text = _LINE_BREAK.sub(" ", text)
        if not text.isascii():
            # Lone surrogates are no valid UTF-8; Rust strings cannot hold them.
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            text = unicodedata.normalize("NFC", text)
        return text.lower() if self.lowercase else text

    def _chunked(self, texts: list[str]) -> _ChunkedTexts:
        return _ChunkedTexts(
            map(self._clean, texts),
            split=self.analyzer != "char",
            words=self.analyzer == "word",
        )

    def _untrained_engine(self) -> Any:
        """A Rust tokenizer with this estimator's splitting, and no vocabulary."""
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers

        model = models.BPE if self.analyzer == "bpe" else models.WordLevel
        engine = Tokenizer(model(unk_token=_RESERVED[UNKNOWN_ID]))
        if self.analyzer == "word":
            engine.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD_PATTERN), behavior="removed", invert=True)
        elif self.analyzer == "char":
            engine.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
        else:
            engine.pre_tokenizer = pre_tokenizers.Sequence(
                [pre_tokenizers.Metaspace(prepend_scheme="always"), pre_tokenizers.Punctuation()]
            )
        return engine

    def _bpe_trainer(self, n_documents: int) -> Any:
        from tokenizers import trainers

        return trainers.BpeTrainer(
            vocab_size=self.max_features + len(_RESERVED),
            min_frequency=max(2, int(np.ceil(resolve_threshold(self.min_df, n_documents)))),
            # Rare characters of a large script must not crowd the merges out.
            limit_alphabet=max(1, self.max_features // 2),
            special_tokens=list(_RESERVED),
            show_progress=False,
        )

    def _count_vocabulary(self, engine: Any, chunks: _ChunkedTexts) -> tuple[Any, Corpus]:
        """Encode with every token there is, then keep the most frequent ones."""
        from tokenizers import models, trainers

        trainer = trainers.WordLevelTrainer(
            vocab_size=np.iinfo(np.int32).max, special_tokens=list(_RESERVED), show_progress=False
        )
        engine.train_from_iterator(chunks.distinct, trainer)
        corpus = chunks.encode(engine, engine.get_vocab(with_added_tokens=True))
        names = _tokens_by_id(engine)
        frequency = np.bincount(corpus.ids, minlength=len(names))
        documents = np.diff(corpus.counts(len(names)).tocsc().indptr)
        candidates = np.arange(FIRST_TOKEN_ID, len(names))
        candidates = candidates[documents[candidates] >= resolve_threshold(self.min_df, len(corpus))]
        # Ties in alphabetical order: the vocabulary must not depend on the order of the documents.
        order = np.lexsort((names[candidates].astype(str), -frequency[candidates]))
        kept = candidates[order][: self.max_features]
        if not len(kept):
            raise ValueError(
                "empty vocabulary: no token is left. Pass texts with at least one "
                + ("word" if self.analyzer == "word" else "character")
                + f", or lower min_df (got {self.min_df!r})."
            )
        new_ids = np.full(len(names), UNKNOWN_ID, dtype=np.int32)
        new_ids[kept] = np.arange(FIRST_TOKEN_ID, FIRST_TOKEN_ID + len(kept))
        vocabulary = {token: index for index, token in enumerate(chain(_RESERVED, names[kept]))}
        engine.model = models.WordLevel(vocabulary, unk_token=_RESERVED[UNKNOWN_ID])
        return engine, Corpus(new_ids[corpus.ids], corpus.starts)


def _ids_by_token(tokens: NDArray[np.object_]) -> dict[str, int]:
    return {token: index for index, token in enumerate(tokens)}


def _tokens_by_id(engine: Any) -> NDArray[np.object_]:
    vocabulary = engine.get_vocab(with_added_tokens=True)
    tokens = np.empty(len(vocabulary), dtype=object)
    for token, index in vocabulary.items():
        tokens[index] = token
    return tokens


def _direct_quotes(lines: str) -> str:
    """Directed quotes and dashes for straight ones; each line is a chunk of its own."""
    if _QUOTE_OR_DASH.search(lines):
        for pattern, mark in _DIRECTED:
            lines = pattern.sub(mark, lines)
    return lines


def _encode_ascii(
    chunks: Iterable[str], ids_of: dict[str, int]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Token ids of words that were ASCII before their quotes were directed, and how many each chunk has.

    What the Rust engine gives, without the cost of one Rust object for each chunk. Only for ASCII,
    because the two regex engines disagree on which other characters a word is made of.
    """
    tokens = _WORD_OR_END.findall("".join(f"{chunk}\n" for chunk in chunks))
    ids = np.fromiter((ids_of.get(token, UNKNOWN_ID) for token in tokens), dtype=np.int32, count=len(tokens))
    ends = np.fromiter((token == "\n" for token in tokens), dtype=bool, count=len(tokens))
    lengths = np.diff(np.flatnonzero(ends), prepend=-1) - 1
    ids = ids[~ends]
    return ids, lengths.astype(np.int64)


def _encode_chunks(chunks: list[str], engine: Any) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Token ids of chunks, back to back, and how many each has."""
    flat, lengths = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.int64)]
    # In blocks, because an encoding holds far more than its ids.
    for start in range(0, len(chunks), _CHUNKS_PER_BLOCK):
        block = engine.encode_batch_fast(chunks[start : start + _CHUNKS_PER_BLOCK], add_special_tokens=False)
        ids = [encoding.ids for encoding in block]
        lengths.append(np.fromiter(map(len, ids), dtype=np.int64, count=len(ids)))
        flat.append(np.fromiter(chain.from_iterable(ids), dtype=np.int32, count=int(lengths[-1].sum())))
    return np.concatenate(flat), np.concatenate(lengths)


class _FirstSeen(dict[str, int]):
    """Numbers its keys in the order in which they are first looked up."""

    def __missing__(self, key: str) -> int:
        self[key] = number = len(self)
        return number


class _ChunkedTexts:
    """Texts as indices into the table of their distinct chunks.

    Running text repeats itself: 25,000 reviews of 230 chunks hold 280,000 distinct ones.
    Looking a chunk up is several times faster than splitting it again.

    Parameters
    ----------
    texts : iterable of str
        The cleaned texts.
    split : bool
        Whether a chunk is what stands between white space, or a whole text.
    words : bool
        Whether the quotes of each distinct chunk are directed, and tokens are words.
    """

    def __init__(self, texts: Iterable[str], *, split: bool, words: bool) -> None:
        table = _FirstSeen()
        indices = [np.empty(0, dtype=np.int32)]
        for text in texts:
            chunks = text.split() if split else [text]
            indices.append(np.fromiter(map(table.__getitem__, chunks), dtype=np.int32, count=len(chunks)))
        self.distinct = list(table)
        self._by_engine = np.ones(len(table), dtype=bool)
        if words and table:
            self.distinct = _direct_quotes("\n".join(table)).split("\n")
            self._by_engine = ~np.fromiter(map(str.isascii, table), dtype=bool, count=len(table))
        self._indices = np.concatenate(indices)
        self._starts = np.cumsum([len(chunks) for chunks in indices], dtype=np.int64)

    def encode(self, engine: Any, ids_of: dict[str, int]) -> Corpus:
        """Token ids of the texts, each distinct chunk encoded once.

        Parameters
        ----------
        engine : tokenizers.Tokenizer
        ids_of : dict of str to int
            The vocabulary of `engine`, which would hand out a new copy at each call.
        """
        by_engine = self._by_engine
        ids, lengths = _encode_chunks(list(compress(self.distinct, by_engine)), engine)
        ascii_ids, ascii_lengths = _encode_ascii(compress(self.distinct, ~by_engine), ids_of)
        order = np.concatenate([np.flatnonzero(by_engine), np.flatnonzero(~by_engine)])
        chunk_ids = np.concatenate([ids, ascii_ids])
        lengths = np.concatenate([lengths, ascii_lengths])
        chunk_lengths, chunk_starts = np.empty((2, len(order)), dtype=np.int64)
        chunk_lengths[order] = lengths
        chunk_starts[order] = np.cumsum(lengths) - lengths
        used = chunk_lengths[self._indices]
        tokens_before = np.concatenate([[0], np.cumsum(used)])
        positions = ragged_positions(chunk_starts[self._indices], used)
        return Corpus(chunk_ids[positions], tokens_before[self._starts])
