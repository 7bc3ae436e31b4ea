"""Where does a layer place the pictures? Its L live units are the axes of a space; a picture is a point in it.

    principal components, and how many there are by parallel analysis      :mod:`seedscope.formulas.components`
    effective dimension   (Σ λ)² / Σ λ² of their variances λ                1: a line, L: a ball
    class separation      between classes, as a share of the variance       :mod:`seedscope.formulas.classes`
    nearest centroid      share of pictures whose class has the nearest mean
    reading the place     R² by cross-validated ridge regression            :mod:`seedscope.formulas.ridge`

Units are centred and not scaled: distances are those that the next layer sees. Parallel analysis is strict with later
components; the effective dimension is not.

A few dimensions need no code: where classes hold most of the variance, the means of K classes alone span up to K − 1,
and as many dimensions as units live can there be at most. So the effective dimension stands beside that of the class
means alone (each class once), that within classes (each picture less its class's mean), the number of live units, and
all of these before the first step (``untrained``, frame 0, for the same pictures). Units that vary little span little
even where none tells of another, so the null of the effective dimension permutes each unit's values over the pictures
by themselves (``permuted``): what as many unrelated units of the same values would span. R² of the place stands beside
that of the untrained network too: random features know where things are.

Separation and nearest centroid are followed through training, over the pictures of ``<features>_frames`` (a feature
map's channels are averaged over space there, so its maps are computed anew with the network of each frame), with labels
shuffled as their null. A layer that training cannot change, such as the picture itself, has one value of each.

The class alone tells much of the place. So the place is also read *within* classes: a ridge regression for each
class, held against the class's mean of the training folds. The null permutes the places within each class and
repeats all of it, the choice of the penalty by leave-one-out errors (Allen 1974) on the training folds included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from seedscope.lenses import Network, Replica, require_kept, require_labels, require_training
from seedscope.lenses.claims import Claim, below, loss
from seedscope.lenses.space.dimensions import METRICS

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison


@dataclass(frozen=True)
class Space:
    """The lens.

    Attributes:
        features: the layer that is looked at.
    """

    features: str

    shares: ClassVar[tuple[str, ...]] = (
        "class_separation*",
        "nearest_centroid_accuracy*",
        "variance_of_3_components",
        "effective_dimension_share*",
    )
    compares: ClassVar[tuple[str, ...]] = (
        "variance",
        "variance_null_permuted",
        "class_separation",
        "class_separation_null_shuffled",
        "nearest_centroid_accuracy",
        "nearest_centroid_accuracy_null_shuffled",
        *METRICS.values(),
        "dimension",
        "live_units",
        "r2",
    )

    def check(self, network: Network) -> None:
        """Refuse a layer that there is not, or that is not dumped for all probe pictures."""
        require_kept(network, self.features)
        require_labels(network)
        require_training(network)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the principal components, how classes part in training, and how well the place can be read.

        ``score`` (sample, axis) and ``loading`` (axis, unit) of the first three components, ``variance`` (component)
        of all and ``variance_null_permuted`` (permutation, component), which units are ``live``; by ``frame``
        ``class_separation``, ``nearest_centroid_accuracy`` and ``effective_dimension``, of the first two also
        ``…_null_shuffled`` (frame, permutation); by ``network``, trained and untrained, the effective ``dimension``
        (network, part), ``live_units`` and ``r2`` (network, reading); and the sums of squares behind R² of the place,
        ``place_left`` and ``place_total`` (draw, along), ``within_left`` and ``within_total`` (true, draw, along): of
        the places as they are, then of each permutation; ``untrained_…`` those of the untrained network.
        """
        from seedscope.lenses.space.measure import measure

        return measure(replica, self.features)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return dimensions, class separation and how well the place can be read, each beside the untrained network."""
        from seedscope.lenses.space.measure import summarize

        return summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the points, the spectrum, the separation through training and, where it is known, the place."""
        from seedscope.lenses.space.draw import draw

        return draw(measured)

    def compare(self, measured: xr.Dataset) -> Comparison:
        """Put the seeds' spectra and their curves through training together, with intervals over seeds."""
        from seedscope.lenses.space.compare import compare

        return compare(measured)

    def claims(self) -> tuple[Claim, ...]:
        """Return that there are fewer dimensions than axes: than live units, and than these would span unrelated.

        It says nothing of a code: means of nine or ten classes alone span up to eight or nine dimensions.
        """
        words = "effective dimension, as a share of the live units"
        return (
            Claim(
                "axes_not_features",
                "The layer spans far fewer dimensions than it has live units",
                (
                    below(
                        "effective_dimension_share", 0.5, f"{words}; class means alone span up to one per class, less 1"
                    ),
                    loss(
                        "effective_dimension_share_gain_permuted",
                        0.1,
                        f"{words}, less that of units permuted one by one",
                    ),
                ),
            ),
        )
