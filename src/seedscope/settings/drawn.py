"""Of which replicas figures are drawn: numbers and comparisons are of all of them.

    drawn: 5         the first five seeds, ascending
    drawn: all       every seed
    drawn: [3, 17]   these
    drawn: 0         none; given weights, which are one replica, are drawn unless this stands there

Any other is drawn when it is asked for: ``python -m seedscope draw <experiment> --seed 37``.
"""

from __future__ import annotations

from seedscope.files.errors import SeedscopeError
from seedscope.files.names import GIVEN, ReplicaName, in_order
from seedscope.settings.said import Composed

ALL = "all"


def drawn(composed: Composed) -> list[ReplicaName]:
    """Return the replicas that the setting ``drawn`` names, ascending.

    Raises:
        SeedscopeError: it is neither a number, a list of seeds of this experiment, nor ``all``.
    """
    asked, seeds = composed.settings["drawn"], sorted(composed.settings["seeds"], key=in_order)
    if asked == ALL:
        return seeds
    if type(asked) is int and asked >= 0:
        return seeds[:asked]
    if not isinstance(asked, list) or any(type(seed) is not int for seed in asked):
        raise SeedscopeError(
            f"{composed.where('drawn')} must be how many of the seeds have figures, a list of seeds, or {ALL!r}, "
            f"not {asked!r}"
        )
    if seeds == [GIVEN]:
        return seeds if asked else []
    unknown = [seed for seed in asked if seed not in seeds]
    if unknown:
        raise SeedscopeError(f"{composed.where('drawn')}: seed {unknown[0]} is not among the seeds {seeds}")
    return [seed for seed in seeds if seed in asked]
