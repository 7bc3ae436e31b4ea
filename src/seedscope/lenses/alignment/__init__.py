"""Do two seeds decide alike? The units of one are matched to their likes in the other, with nulls that bite.

    matched_r        Pearson's r of units matched one to one on other pictures    :mod:`seedscope.formulas.alignment`
    soft_r, …        the same for unequal numbers, and for the best half          :mod:`seedscope.formulas.matching`
    procrustes, …    the same space, whatever its axes                            :mod:`seedscope.formulas.shared_space`
    cka              … by layer and through training                              :mod:`seedscope.formulas.similarity`
    universal        units that every seed has                                    :mod:`seedscope.formulas.universal`
    by_weights       a second opinion, without a picture                       :mod:`seedscope.formulas.weight_matching`

A unit's number means nothing in another seed; whether its like is there is asked here. Only live units are matched, on
one half of the probe pictures, and scored on the other, both ways round. The halves are balanced over classes and,
where the place of the object is known, over the nine parts of a class's places.

Every number stands beside its nulls, each of which does all of it again. The two rotations decide what may be said:
where matched units do no better than units of the other seed's *rotated* space, the seeds share a space and not units.
``untrained`` are the networks as they were at step 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from seedscope.files.errors import SettingError
from seedscope.lenses.at_once import AtOnce, in_turn
from seedscope.lenses.claims import Claim, above, below, gain
from seedscope.lenses.network import Network, require_dense_head, require_training

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison
    from seedscope.lenses.replica import Replica


@dataclass(frozen=True)
class Alignment:
    """The lens.

    Attributes:
        features: the layer whose units are matched.
        head: the dense layer that weighs them into logits.
        top: how many units of a class count as dominant.
        draws: how often each null is drawn; p is 1 / (draws + 1) at least, which corrected for the dozen claims
            that an experiment tests must still be below 0.05.
    """

    features: str
    head: str
    top: Annotated[int, Ge(1)] = 5
    draws: Annotated[int, Ge(19)] = 249

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features, and features that no seed numbers."""
        require_dense_head(network, self.features, self.head)
        require_training(network)
        if network.weights[f"{self.head}.weight"][1] < self.top:
            raise SettingError("top", f"{self.top} is out of range: {self.features!r} has fewer units")
        first = next(iter(network.weights))
        if first == f"{self.head}.weight":
            raise SettingError(
                "features",
                f"{self.features!r} is the picture itself, which is the same in every seed: there is nothing "
                "to match; take the lens out of the experiment",
            )

    def measure(self, replica: Replica) -> xr.DataTree:
        """Return what the layer answers to every probe picture, before and after training, and to whom it gives votes.

        ``half``, ``label`` and where places are known ``part`` (sample). In ``trained``, of the units that live in both
        halves, ``answer`` (sample, place, channel), ``before`` the same ahead of its ReLU where it has one, and
        ``weight`` (true, place, channel), centred over classes; in ``untrained`` ``answer`` at step 0; in ``layers`` a
        group for each with ``followed`` (frame, picture, unit), channels averaged over space; in ``chain`` one for each
        with ``weight`` (to, from, place) and ``bias``, where the network is a plain chain.
        """
        from seedscope.lenses.alignment.measure import measure

        return measure(replica, self.features, self.head)

    def summarize(self, measured: xr.DataTree) -> dict[str, float]:
        """Return how many units can be matched: those that live in both halves, and how many did at step 0."""
        return {
            "units": float(measured["trained"].sizes["channel"]),
            "units_null_untrained": float(measured["untrained"].sizes["channel"]),
        }

    def draw(self, _measured: xr.DataTree) -> Iterator[Sheet]:
        """Yield nothing: one replica has no likes."""
        yield from ()

    def compare(self, measured: xr.DataTree, at_once: AtOnce = in_turn) -> Comparison:
        """Match the units of every pair of seeds and say how alike they are, beside the nulls."""
        from seedscope.lenses.alignment.compare import compare

        return compare(measured, self.features, self.top, self.draws, at_once)

    def claims(self) -> tuple[Claim, ...]:
        """Return what this lens claims of the replicas; a gain of 0.05 in r or similarity would be worth saying.

        By number a fifth of the way from chance to all would be the same units. Chance deals the numbers of all units
        of the layer anew, also of dead ones: seeds whose live units are the same ones have something in common. Where
        units are drawn alike it cannot be otherwise: that claim is a check.

        A shared space may be no more than what the classes, and places within them, ask of any code. Dominance is that
        by centred votes; of its other versions it is not asked.
        """
        top = f"top{self.top}_shared"
        shared = f"of the top {self.top} of a class, shared once matched, above"
        return (
            Claim(
                "dominant_units_depend_on_the_seed",
                "Which unit number dominates depends on the seed, as it must where units are drawn alike",
                (
                    below(
                        f"{top}_by_number_above_chance",
                        0.2,
                        f"of the top {self.top} of a class, units of one number in two seeds; 0: as many as numbers "
                        "at random share, 1: all",
                    ),
                ),
            ),
            Claim(
                "kinds_recur",
                "Units that dominate a class by centred votes have likes that do so in another seed, above chance",
                (
                    gain(f"{top}_matched_gain_shuffled", 0.25, f"{shared} pictures shuffled"),
                    gain(f"{top}_matched_gain_rotated", 0.25, f"{shared} the other seed's space rotated"),
                ),
            ),
            Claim(
                "kinds_recur_beyond_class",
                "… and more of them than the classes that they answer to explain",
                (gain(f"{top}_matched_gain_within_class", 0.25, f"{shared} pictures shuffled within classes"),),
            ),
            Claim(
                "shared_space",
                "Seeds share a space, beyond the means of the classes",
                (
                    gain("procrustes_gain_within_class", 0.05, "Procrustes similarity, above shuffled within classes"),
                    gain("procrustes_gain_untrained", 0.05, "Procrustes similarity, above as many untrained units"),
                ),
            ),
            Claim(
                "shared_units",
                "Seeds share units, beyond their space",
                (
                    gain("matched_r_gain_within_class", 0.05, "r of matched units, above shuffled within classes"),
                    gain(
                        "matched_r_gain_within_place",
                        0.05,
                        "r of matched units, above shuffled within class and place",
                        where_known=True,
                    ),
                    gain("matched_r_gain_rotated", 0.05, "r of matched units, above the other seed's space rotated"),
                    gain(
                        "matched_r_gain_rectified",
                        0.05,
                        "r of matched units, above the other seed's space rotated and as sparse again",
                    ),
                    gain("matched_r_gain_untrained", 0.05, "r of matched units, above as many of untrained networks"),
                ),
            ),
            Claim(
                "universal_units",
                "There are units that nearly every seed has, at least 80 % of them",
                (
                    above(
                        "universal_share_gain_by_chance",
                        0.0,
                        "share of the live units that are universal, above what chance gives at most",
                        worth=0.05,
                    ),
                ),
            ),
        )
