"""Lines about what a fit does, how long it took, and how long the rest of a step will take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Progress:
    """Prints lines about the steps of a fit.

    Parameters
    ----------
    name : str
        Start of printed lines.
    verbose : int
        0 prints nothing.
    """

    def __init__(self, name: str = "", verbose: int = 0) -> None:
        self.name = name
        self.verbose = verbose

    def say(self, text: str) -> None:
        """Print a line."""
        if self.verbose:
            print(f"[{self.name}] {text}", flush=True)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Print what the block did, and its seconds, when it has ended."""
        start = perf_counter()
        yield
        self.say(f"{what}: {duration(perf_counter() - start)}")

    def rounds(self, what: str, n_rounds: int, n_lines: int | None = None) -> Rounds:
        """A step of rounds of about equal length, the first of which begins now."""
        return Rounds(self, what, n_rounds, n_lines or n_rounds)


class Rounds:
    """Prints a line for each round of a step, or for some of them.

    Parameters
    ----------
    progress : Progress
    what : str
        What a round is.
    n_rounds : int
    n_lines : int
        Number of lines, evenly spread over the rounds.
    """

    def __init__(self, progress: Progress, what: str, n_rounds: int, n_lines: int) -> None:
        self.progress = progress
        self.what = what
        self.n_rounds = n_rounds
        self.n_lines = n_lines
        self.n_done = 0
        self.start = perf_counter()
        self.first_ended = self.start

    def done(self, figures: str = "") -> None:
        """Print a line about the round that has ended."""
        self.n_done += 1
        now = perf_counter()
        if self.n_done == 1:
            self.first_ended = now
        if self.n_done * self.n_lines // self.n_rounds == (self.n_done - 1) * self.n_lines // self.n_rounds:
            return
        so_far, n_left = now - self.start, max(0, self.n_rounds - self.n_done)
        # The first round also compiles what all of them run.
        of_one = (now - self.first_ended) / (self.n_done - 1) if self.n_done > 1 else so_far
        left = of_one * n_left
        bound = "at most about " if self.n_done == 1 else ""
        middle = f": {figures}; " if figures else ": "
        rest = f", {bound}{duration(left)} left" if left else ""
        self.progress.say(f"{self.what} {self.n_done}/{self.n_rounds}{middle}{duration(so_far)}{rest}")


def duration(seconds: float) -> str:
    """A duration in words: "0.4 s", "12 s", "3 min 20 s"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds) // 60
    return f"{minutes} min {round(seconds) - 60 * minutes} s"
