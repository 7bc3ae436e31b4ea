"""Same class, different votes: what makes a vote vary, and how much change do the decision and its voters bear?

**What makes a vote vary.** Of one unit and one class, v[p, n] is the centred vote for that class (see
:mod:`seedscope.formulas.votes`) in the picture of place p under noise field n, P places × N fields:

    vote = class mean + place + noise + interaction              a variance component of each; shares of their sum

A two-way analysis of variance with one picture per cell (:mod:`seedscope.formulas.variance`); places and noise fields
are draws, so its variance components are unbiased, while the shares of the plain sums of squares are not: of votes that
depend on neither they give each its df. Without a second picture per cell the interaction holds all that place and
noise do not explain each by itself; where they determine the picture, as in ``squares``, that is their interaction
proper. A component may come out negative where there is none; it is kept so. Shares are those of the sums over classes
and units, so units that vary more weigh more. The null shuffles the pictures of each class over the cells.

What the shares are is the design's doing as much as the network's: less noise, or a wider range of places, and place
has more. They are shares *at this data set's setting*. Where the data set crosses the pictures again at other settings
(designs ``crossed_…``, such as other noise or places nearer to the middle of their cell), the shares are given as a
curve, and with them the level at which place and noise have the same.

**How much change is borne.** As one thing (``design``) changes level by level in the same pictures: accuracy, the
margin (true logit minus the strongest other; of one logit z, ±z), and who votes, each against the base level:

    of the class      how many of the top t by mean centred vote over the class's pictures are the same units, and
                      Spearman's rank correlation (1904) of all live units' means; averaged over classes
    of the picture    how many of the top t by centred vote in the picture itself are the same units; averaged over
                      the pictures whose label is that of the base level

Random sets of t of L live units share t²/L. The null of the class is the overlap of the base level with the probe
pictures: what other pictures alone change. That of the picture pairs it with the next picture of its class at the
base level: what pictures of a class share anyway. That in turn is held against pictures of *other* classes, asked who
votes for the class of the first, the mean over all of them: a unit that votes for a class does so in any picture. Live
is who votes for some probe picture; units that only wake up under change do not enter the sets, and their share of
Σ |centred votes| is told.

It reads ``replica.variations``: ``design`` (``crossed``, ``crossed_…``, or any other name), ``level``, ``base``,
``place`` and ``noise_draw``, as :meth:`seedscope.data.squares.Squares.variations` describes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge

from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.lenses import Network, Replica, require_dense_head

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison


@dataclass(frozen=True)
class Variation:
    """The lens.

    Attributes:
        features: the layer whose units vote.
        head: the dense layer that weighs them into logits.
        top: how many units count as dominant.
    """

    features: str
    head: str
    top: Annotated[int, Ge(1)] = 5

    shares: ClassVar[tuple[str, ...]] = ("lowest_accuracy_*",)  # variance components may be negative, of their sum too
    compares: ClassVar[tuple[str, ...]] = (
        "component",
        "margin_component",
        "accuracy",
        "margin",
        "overlap",
        "overlap_null_chance",
        "picture_overlap",
        "picture_overlap_null_another_picture",
        "picture_overlap_null_other_class",
        "setting_share",
        "rank_correlation",
    )

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features, and a data set that makes no variations."""
        require_dense_head(network, self.features, self.head)
        if not network.varied:
            raise SeedscopeError(
                "the data set makes no pictures in which one thing changes at a time: give it `variations()`, or take "
                "this lens out of the experiment"
            )
        _, units = network.weights[f"{self.head}.weight"]
        if self.top > units:
            raise SettingError("top", f"{self.top} is out of range: {self.features!r} has {units} units")

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the variance of votes and margins by source, and every condition's accuracy, margin and voters."""
        from seedscope.lenses.variation.measure import measure

        return measure(replica, self.features, self.head, self.top)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return the shares of variance, and how much change the decision bears."""
        from seedscope.lenses.variation.measure import summarize

        return summarize(measured, self.top)

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield what makes votes vary, pictures with their votes, and robustness; each where its design was made."""
        from seedscope.lenses.variation.draw import draw

        return draw(measured, self.top)

    def compare(self, measured: xr.Dataset) -> Comparison:
        """Put the seeds' shares of variance and their curves together, with means and intervals over seeds."""
        from seedscope.lenses.variation.compare import compare

        return compare(measured, self.top)
