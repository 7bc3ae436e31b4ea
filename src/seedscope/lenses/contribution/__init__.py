"""Which units vote for a class?

    contribution[s, k, i] = a[s, i] · W[k, i]          (sample s, target k, unit i)
    logit[s, k] = Σ_i contribution[s, k, i] + bias[k]

The votes, their gauge and the four versions of a unit's dominance for a class (raw, centred, margin, mean-subtracted)
stand in :mod:`seedscope.formulas.votes`; ``centred`` ranks the units. Dead units, active for no probe picture, are
counted and never ranked. Whether the same units dominate in two seeds is asked in
:mod:`seedscope.lenses.contribution.compare`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge

from seedscope.files.errors import SettingError
from seedscope.formulas.votes import VERSIONS
from seedscope.lenses.claims import Claim, above, below, gain
from seedscope.lenses.comparison import Headline
from seedscope.lenses.lens import for_drawing
from seedscope.lenses.network import Network, require_dense_head

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison
    from seedscope.lenses.replica import Replica


@dataclass(frozen=True)
class Contribution:
    """The lens.

    Attributes:
        features: the layer whose units vote.
        head: the dense layer that weighs them into logits.
        top: how many units count as dominant.
        watch: units that rankings always name, also where they are not among the top.
    """

    features: str
    head: str
    top: Annotated[int, Ge(1)] = 5
    watch: Sequence[Annotated[int, Ge(0)]] = for_drawing(())

    compares: ClassVar[tuple[str, ...]] = ("live", "top", "dominance")
    shares: ClassVar[tuple[str, ...]] = ("largest_vote_loses_*", "positive_share_*", "busiest_unit_share_*")

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features, and units that it does not have."""
        require_dense_head(network, self.features, self.head)
        units = network.weights[f"{self.head}.weight"][1]
        if self.top > units:
            raise SettingError("top", f"{self.top} is out of range: {self.features!r} has {units} units")
        for unit in self.watch:
            if unit >= units:
                raise SettingError(
                    "watch", f"unit {unit} is out of range: {self.features!r} has units 0 to {units - 1}"
                )

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the factors of every vote and what follows from them; ``true`` is the class of a sample."""
        from seedscope.lenses.contribution.measure import measure

        return measure(replica, self.features, self.head, self.top)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return completeness, how votes are shared out, and whether the versions of dominance agree."""
        from seedscope.lenses.contribution.measure import summarize

        return summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the figures; those of one class only where the class has exhibits."""
        from seedscope.lenses.contribution.draw import draw

        return draw(measured, self.watch)

    def compare(self, measured: xr.Dataset) -> Comparison:
        """Compare which units dominate; units are matched by their number."""
        from seedscope.lenses.contribution.compare import compare

        return compare(measured)

    def claims(self) -> tuple[Claim, ...]:
        """Return what this lens claims; of dominant units a claim holds only if it does in all four versions."""
        version_words = [(version, version.replace("_", "-")) for version in VERSIONS]
        classes = "share of the classes in whose top set the busiest unit stands"
        random = "the busiest unit where each class draws as many live units at random"
        own = "positive share of all votes for the true class, mean over pictures"
        loses = "share of pictures in which the unit with the largest single vote votes for another class than wins"
        return (
            Claim(
                "one_unit_everywhere",
                "One unit is strong for every class",
                (
                    *(
                        above(f"busiest_unit_share_{version}", 0.9, f"{classes}, {word} votes")
                        for version, word in version_words
                    ),
                    *(
                        gain(
                            f"busiest_unit_share_{version}_gain_chance",
                            0.1,
                            f"{classes}, less that of {random}, {word} votes",
                        )
                        for version, word in version_words
                    ),
                ),
            ),
            Claim(
                "up_and_down",
                "Of the votes for a picture's true class some push it up and some down",
                tuple(below(f"positive_share_{gauge}", 0.95, f"{own}, {gauge}") for gauge in ("raw", "centred")),
            ),
            Claim(
                "the_sum_wins",
                "The unit with the largest single vote often votes for another class than wins",
                tuple(above(f"largest_vote_loses_{gauge}", 0.1, f"{loses}, {gauge}") for gauge in ("raw", "centred")),
            ),
        )

    def headlines(self) -> tuple[Headline, ...]:
        """Return how many of their dominant units two seeds share."""
        return (Headline(f"top{self.top}_overlap_centred", f"top-{self.top} units shared, by index"),)
