"""What a lens is: the parts that it has, and which of its settings only drawing reads.

    measure    replica → labelled numbers      without drawing anything
    summarize  numbers → a few scalars
    draw       numbers → sheets                 declared in the vocabulary of :mod:`seedscope.figures`
    compare    numbers of all seeds → what the replicas say together
    headlines  which of its numbers sweeps and ``seeds_needed`` follow
    shares     which of its scalars are shares, in [0, 1]

What was measured is kept by what measuring imports and by the settings that it reads; what was drawn, by what drawing
imports, all settings, and the numbers themselves. So a setting that only drawing reads is declared with
:func:`for_drawing`, and ``measure`` and ``summarize`` may neither read it nor draw.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, fields, is_dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from seedscope.files.errors import SeedscopeError

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison, Headline
    from seedscope.lenses.network import Network
    from seedscope.lenses.replica import Replica

    Numbers = xr.Dataset | xr.DataTree
    """What a lens measured: a data set, or a tree with a group for each layer."""

_DRAWING = "only drawing reads it"


class Lens(Protocol):
    """One way of looking at a replica.

    An attribute ``shares``, a tuple of names with ``*`` for any part (``"*_silent"``), says which of its scalars are
    shares of something, or otherwise lie in [0, 1] by definition: their intervals over seeds stay in there. A
    difference of two shares is none; what is named a gain never is.
    """

    def check(self, network: Network) -> None:
        """Raise a ``SettingError`` where this network cannot be looked at so."""

    def measure(self, replica: Replica) -> Numbers:
        """Return labelled numbers; whatever ``draw`` and ``summarize`` need is in them.

        Their attributes are ``experiment``, ``seed`` and ``class_names``, and what else the lens wants to remember.
        """

    def draw(self, measured: Any) -> Iterator[Sheet]:
        """Yield the figures, one at a time, of what ``measure`` returned."""

    def summarize(self, measured: Any) -> dict[str, float]:
        """Return a few scalars; NaN where there is no value."""


@runtime_checkable
class ComparingLens(Protocol):
    """A lens by which replicas can be compared.

    An attribute ``compares``, a tuple of names, says which variables that takes; without it all are read. Where a
    comparison takes minutes, ``compare`` may have a second argument, ``at_once``: :mod:`seedscope.lenses.at_once`.
    """

    def compare(self, measured: Any) -> Comparison:
        """Compare what was measured on all seeds: as ``measure`` returned it, with a dimension ``seed`` in front."""


@runtime_checkable
class HeadlinedLens(Protocol):
    """A lens some of whose numbers are followed by sweeps and ``seeds_needed``."""

    def headlines(self) -> Sequence[Headline]:
        """Return which numbers these are."""


def is_share(lens: object, name: str) -> bool:
    """Return whether ``lens`` declares its scalar ``name`` to be a share."""
    return not is_gain(name) and any(fnmatchcase(name, pattern) for pattern in getattr(lens, "shares", ()))


def is_gain(name: str) -> bool:
    """Return whether a scalar is what a measure has above its null, ``<what>_gain_<which>``."""
    return "_gain_" in name


def for_drawing(default: Any) -> Any:
    """Declare a setting of a lens that only drawing reads; ``default`` is its value, or a type that makes it (dict)."""
    if isinstance(default, type):
        return field(default_factory=default, metadata={_DRAWING: True})
    return field(default=default, metadata={_DRAWING: True})


def measuring_settings(lens: object, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the settings of ``lens`` that measuring may read."""
    return {name: value for name, value in settings.items() if name not in _drawing_fields(lens)}


@contextmanager
def measuring(lens: Any, name: str) -> Iterator[Any]:
    """Yield ``lens`` as it may measure: blind to what only drawing reads, and unable to draw."""
    from seedscope.figures.sheet import no_drawing

    with no_drawing(f"lens {name}: measure and summarize must not draw: do that in draw, from the numbers"):
        yield _blind(lens, name)


def _drawing_fields(lens: object) -> frozenset[str]:
    if not is_dataclass(lens):
        return frozenset()
    return frozenset(one.name for one in fields(lens) if one.metadata.get(_DRAWING))


def _blind(lens: Any, name: str) -> Any:
    hidden, kind = _drawing_fields(lens), type(lens)
    if not hidden:
        return lens

    class Blind(kind):  # type: ignore[misc, valid-type]  # whatever class the lens has
        __slots__ = ()

        def __getattribute__(self, attribute: str) -> Any:
            if attribute in hidden:
                raise SeedscopeError(
                    f"lens {name}: measure reads {attribute!r}, which is declared as a setting of drawing alone"
                )
            return super().__getattribute__(attribute)

    blind = copy.copy(lens)
    object.__setattr__(blind, "__class__", Blind)
    return blind
