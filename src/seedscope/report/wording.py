"""How numbers and names are put into words: three to four significant digits, and class 2 before class 10."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

UNDEFINED = "–"
NaturalKey = tuple[tuple[int | str, ...], str]


def natural_key(name: str) -> NaturalKey:
    """Return a sort key under which ``class2`` comes before ``class10``."""
    parts = re.split(r"([0-9]+)", name)
    return tuple(int(part) if i % 2 else part.casefold() for i, part in enumerate(parts)), name


def label(name: str) -> str:
    """Return an identifier as words: ``probe_accuracy`` → ``probe accuracy``."""
    return " ".join(name.replace("_", " ").split())


def title_of(name: str) -> str:
    """Return an identifier as the words of a heading: ``grad_cam`` → ``Grad cam``."""
    words = label(name)
    return words[:1].upper() + words[1:]


def in_words(value: object) -> str:
    """Return the value of a setting: ``[32, 16]`` → ``32×16``, true → yes."""
    if isinstance(value, list):
        return "×".join(map(str, value)) if value else "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def integers(values: Iterable[int]) -> str:
    """Return whole numbers in ascending order with runs shortened: ``0–4, 7``."""
    runs: list[list[int]] = []
    for value in sorted(set(values)):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def listed(parts: Sequence[str]) -> str:
    """Return parts as an enumeration: ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def decimals(largest: float) -> int:
    """Return how many decimals show a number of this size with three to four significant digits."""
    if largest == 0:
        return 0
    magnitude = math.floor(math.log10(abs(largest)))
    return 2 - magnitude if magnitude < -1 else max(0, 3 - max(0, magnitude))


def aligned(values: Sequence[float | None]) -> tuple[str, ...]:
    """Return numbers that are read against each other with the same number of decimals; None is undefined."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    # Counts arrive as 23.0 from tables of floats; a share of exactly 1.0 stays a share.
    counts = any(abs(value) >= 2 for value in finite) and all(float(value).is_integer() for value in finite)
    if counts or (finite and all(isinstance(value, int) for value in finite)):
        return tuple(
            _signed(f"{value:.0f}") if value is not None and math.isfinite(value) else UNDEFINED for value in values
        )
    return _fixed(values, decimals(max(map(abs, finite), default=0.0)))


def number(value: float | None) -> str:
    """Return one number with three to four significant digits."""
    return aligned([value])[0]


def interval(mean: float | None, low: float | None, high: float | None, n: int, *, same: bool = False) -> str:
    """Return a mean over n seeds with its interval: ``0.981 [0.976, 0.986] (n = 5)``; or that all have the same."""
    if mean is None:
        return f"{UNDEFINED} (n = {n})"
    if same:
        return f"{number(mean)} (n = {n}, the same in every seed)"
    if low is None or high is None:
        return f"{number(mean)} (n = {n}, no interval)"
    places = decimals(max(abs(mean), abs(low), abs(high)))
    if high > low:
        # An interval narrower than the digits shown would read as a point.
        places = max(places, min(8, -math.floor(math.log10((high - low) / 2))))
    if isinstance(mean, int) and isinstance(low, int) and isinstance(high, int):
        places = 0
    mean_text, low_text, high_text = _fixed([mean, low, high], places)
    return f"{mean_text} [{low_text}, {high_text}] (n = {n})"


def _fixed(values: Sequence[float | None], places: int) -> tuple[str, ...]:
    largest = max((abs(v) for v in values if v is not None and math.isfinite(v)), default=0.0)
    scientific = largest != 0 and not 1e-4 <= largest < 1e6

    def text(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return UNDEFINED
        if scientific:
            mantissa, _, exponent = f"{value:.2e}".partition("e")
            return _signed(f"{mantissa}e{int(exponent)}" if value else "0")
        # Adding zero turns −0.0 into 0.0.
        return _signed(f"{round(value, places) + 0.0:.{places}f}")

    return tuple(map(text, values))


def _signed(text: str) -> str:
    return text.replace("-", "−")
