"""How much do rows of weights resemble pictures, or whatever a layer takes as its inputs?

    cosine(w, x) = w · x / (|w| |x|)                Pearson(w, x) = cosine(w − mean(w), x − mean(x)), means over pixels
    nearest(w)   = max over training inputs of similarity(w, x)
    in the span  w is projected on the span of the training inputs, V Vᵀ w; V (input, rank) are the right singular
                 vectors of the inputs X (sample, input) whose singular value exceeds 1e-6 of the largest

What of w lies outside the span meets no training input and changes no training output. Plain gradient descent never
moves it; Adam does not where an input is always 0. There it is what was drawn before the first step. The singular
values are the square roots of the eigenvalues of XᵀX, in float64; 1e-6 leaves a wide margin to its rounding.

A row that is all zero, and for Pearson one that is constant, resembles nothing: NaN. Ties go to the lowest number.
The nearest training input is sought in float32, as the network computes; its similarity is then taken in float64.

Rows that are no templates, to compare with:

    mixture   Σ_j z_j x_j over all training inputs, z ~ N(0, 1) minus its mean: in the span, as smooth as the inputs
              and with their covariance, and made of all of them alike, so a template of none
    turned    Σ_c ±(v_c · w) v_c with random signs: the row's own size along each principal direction v_c of the
              inputs (uncentred), so exactly as smooth as the row; only their agreement is gone
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seedscope.formulas.classes import class_means
from seedscope.formulas.correlation import directions

MEASURES = ("cosine", "pearson")
TOLERANCE = 1e-6  # of the largest singular value
_CHUNK = 4096  # training inputs looked at at a time


@dataclass(frozen=True)
class Inputs:
    """What a layer takes: (sample, input) of the training and of the probe pictures.

    Attributes:
        training: float32, (sample, input).
        label: class of each training picture.
        probe: (sample, input).
        probe_label: class of each probe picture.
        n_classes: number of classes.
    """

    training: np.ndarray
    label: np.ndarray
    probe: np.ndarray
    probe_label: np.ndarray
    n_classes: int

    @cached_property
    def basis(self) -> np.ndarray:
        """Return an orthonormal basis of the training inputs' span, (rank, input), largest direction first."""
        width = self.training.shape[1]
        gram = np.zeros((width, width))
        for start in range(0, len(self.training), _CHUNK):
            part = self.training[start : start + _CHUNK].astype(np.float64)
            gram += part.T @ part
        squares, vectors = np.linalg.eigh(gram)
        kept = squares > TOLERANCE**2 * max(squares[-1], 0.0)
        return vectors.T[kept][::-1]

    @cached_property
    def class_means(self) -> np.ndarray:
        """Return the mean training input of each class, (class, input); NaN of a class without pictures."""
        return class_means(self.training, self.label, self.n_classes)

    @cached_property
    def probe_directions(self) -> dict[str, np.ndarray]:
        """Return the probe inputs of length 1, by measure."""
        return {measure: directions(self.probe, measure) for measure in MEASURES}

    def in_span(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows (row, input) projected on the span of the training inputs."""
        return rows @ self.basis.T @ self.basis

    def nearest(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return similarity to, and position of, the nearest training input of each row, both (measure, row).

        NaN and −1 where a row, or every input, has no direction.
        """
        mean = rows.mean(1)
        centred = (rows - mean[:, None]).astype(np.float32)
        best = np.full((2, len(rows)), -np.inf, dtype=np.float32)
        place = np.full((2, len(rows)), -1)
        for start in range(0, len(self.training), _CHUNK):
            part, sizes = self.training[start : start + _CHUNK], self._lengths[:, start : start + _CHUNK]
            pearson = centred @ part.T  # centring one of the two is enough
            cosine = pearson + mean[:, None].astype(np.float32) * self._sums[start : start + _CHUNK]
            for at, (values, size) in enumerate(zip((cosine, pearson), sizes, strict=True)):
                values *= np.divide(1, size, out=np.zeros_like(size), where=size > 0)
                values[:, size == 0] = -np.inf
                found = values.argmax(1)
                highest = values[np.arange(len(rows)), found]
                better = highest > best[at]
                best[at, better], place[at, better] = highest[better], start + found[better]
        similarity = np.full(best.shape, np.nan)
        for at, measure in enumerate(MEASURES):
            row = directions(rows, measure)
            known = (place[at] >= 0) & np.isfinite(row[:, 0])
            similarity[at, known] = np.einsum(
                "ui,ui->u", row[known], directions(self.training[place[at, known]], measure)
            )
            place[at, ~known] = -1
        return similarity, place

    @cached_property
    def _sums(self) -> np.ndarray:
        return np.asarray(self.training.sum(1))

    @cached_property
    def _lengths(self) -> np.ndarray:
        """Return the length of each training input, whole and centred, (measure, sample); 0 where it is constant."""
        lengths = np.zeros((2, len(self.training)), dtype=np.float32)
        for start in range(0, len(self.training), _CHUNK):
            part = self.training[start : start + _CHUNK]
            there = slice(start, start + len(part))
            lengths[0, there] = np.linalg.norm(part, axis=1)
            varies = np.ptp(part, axis=1) > 0
            lengths[1, there] = np.where(varies, np.linalg.norm(part - part.mean(1, keepdims=True), axis=1), 0)
        return lengths

    def mixtures(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return as many random mixtures of all training inputs as there are rows, (row, input)."""
        share = rng.standard_normal((len(rows), len(self.training)), dtype=np.float32)
        share -= share.mean(1, keepdims=True)
        return (share @ self.training).astype(np.float64)

    def turned(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the rows with random signs along each direction of the basis, (row, input)."""
        along = rows @ self.basis.T
        return (along * rng.choice([-1.0, 1.0], along.shape)) @ self.basis


def matched_length(rows: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return the rows with the lengths of others; a row without length stays 0."""
    length, wanted = np.linalg.norm(rows, axis=1), np.linalg.norm(like, axis=1)
    return rows * np.divide(wanted, length, out=np.zeros_like(length), where=length > 0)[:, None]


@dataclass(frozen=True)
class Readings:
    """What the winners of the probe pictures resemble, means over those pictures; each (measure).

    Attributes:
        winning_input: the winner's row and the picture itself.
        class_mean: the winner's row and the mean training input of the picture's class.
        other_class_mean: … the most similar mean of another class.
        other_class_means: … the means of other classes, averaged.
        shuffled_input: ``winning_input`` with the winners' numbers shuffled, the mean over all shuffles.
        shuffled_mean: ``class_mean`` so.
    """

    winning_input: np.ndarray
    class_mean: np.ndarray
    other_class_mean: np.ndarray
    other_class_means: np.ndarray
    shuffled_input: np.ndarray
    shuffled_mean: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, live: np.ndarray, winner: np.ndarray, inputs: Inputs) -> Readings:
        """Compare the rows (unit, input) with the probe inputs that each wins.

        Args:
            rows: (unit, input).
            live: which units take part in shuffles.
            winner: (sample); −1 where no unit is active.
            inputs: the layer's.
        """
        won = winner >= 0
        unit, label = winner[won], inputs.probe_label[won]
        found = []
        for measure in MEASURES:
            row, probe = directions(rows, measure), inputs.probe_directions[measure][won]
            table = row @ directions(inputs.class_means, measure).T  # (unit, class)
            others = table[unit]
            others[np.arange(len(unit)), label] = np.nan
            average = mean_of(row[live], axis=0)  # every unit is the winner as often as any other
            found.append(
                [
                    mean_of(np.einsum("si,si->s", row[unit], probe)),
                    mean_of(table[unit, label]),
                    mean_of(_largest(others)),
                    mean_of(mean_of(others, axis=1)),
                    mean_of(probe @ average),
                    mean_of(mean_of(table[live], axis=0)[label]),
                ]
            )
        return cls(*np.array(found, dtype=np.float64).T)


def mean_of(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Return the mean of what is not NaN; NaN where there is nothing."""
    known = np.isfinite(values)
    count = known.sum(axis)
    total = np.where(known, values, 0.0).sum(axis)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def _largest(values: np.ndarray) -> np.ndarray:
    """Return the largest of each row that is not NaN; NaN where there is nothing."""
    largest = np.where(np.isfinite(values), values, -np.inf).max(1, initial=-np.inf)
    return np.where(np.isfinite(largest), largest, np.nan)
