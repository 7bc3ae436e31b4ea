"""The errors that a user sees as a sentence instead of a traceback."""

import difflib
from collections.abc import Collection


class SeedscopeError(Exception):
    """A mistake of the user's or of the surroundings, told in one sentence: what, where, what would be right."""


class SettingError(SeedscopeError):
    """A setting whose value cannot be: ``key`` names it within its component, ``problem`` says what is wrong."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(key, problem)
        self.key = key
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}"


def in_one_line(error: BaseException) -> str:
    """Return an error's type and what it says, as part of a sentence."""
    return ": ".join(filter(None, [type(error).__name__, " ".join(str(error).split())]))


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return the end of a sentence that refuses ``name``: the nearest of the known names, or all of them."""
    if not known:
        return "there are none"
    near = difflib.get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(map(str, known))}"
