"""Who wins: a dense layer at one moment of its training, and which of its units has the largest output.

    output(s, u)   = w_u · x_s + b_u,  after the ReLU where the layer has one
    winner(s)      = argmax over u of output(s, u); none (−1) where no unit is active; ties go to the lowest number
    gauge          rows and biases of a layer that gives logits are taken minus their mean over classes

This room takes the network apart; what the rows resemble is asked in ``resemblance.py``, and why anybody asks in
:mod:`seedscope.lenses.templates`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seedscope.data import balanced
from seedscope.formulas.correlation import directions
from seedscope.lenses import Replica
from seedscope.lenses.templates.resemblance import Inputs, matched_length

_BATCH = 4096


@dataclass(frozen=True)
class Rules:
    """How a layer is read: whether rows are centred over classes (``gauge``), and whether a ReLU follows."""

    gauge: bool
    rectified: bool

    def in_gauge(self, values: np.ndarray) -> np.ndarray:
        """Return rows (unit, input), or biases (unit), in their gauge."""
        return values - values.mean(0) if self.gauge else values


@dataclass(frozen=True)
class State:
    """A layer at one moment.

    Attributes:
        raw: rows as they are, (unit, input).
        rows: rows in their gauge.
        projected: those in the span of the training inputs.
        bias: in its gauge, (unit).
        live: active for some probe picture, and its row is not all zero, (unit).
        winner: (sample); −1 where no unit is active.
        rules: how the layer is read.
    """

    raw: np.ndarray
    rows: np.ndarray
    projected: np.ndarray
    bias: np.ndarray
    live: np.ndarray
    winner: np.ndarray
    rules: Rules

    @classmethod
    def of(cls, weight: np.ndarray, bias: np.ndarray, inputs: Inputs, rules: Rules) -> State:
        """Put weights (unit, input) and biases (unit) to the probe inputs."""
        rows, bias = rules.in_gauge(weight), rules.in_gauge(bias)
        output = inputs.probe @ rows.T + bias
        active = output > 0 if rules.rectified else np.ones(output.shape, dtype=bool)
        winner = np.where(active.any(1), output.argmax(1), -1)
        return cls(weight, rows, inputs.in_span(rows), bias, active.any(0) & (rows != 0).any(1), winner, rules)

    def replaced(self, rows: np.ndarray, inputs: Inputs) -> State:
        """Return the layer of the live units alone with other rows: in the gauge, of the same lengths and biases."""
        matched = matched_length(self.rules.in_gauge(rows), self.projected[self.live])
        return State.of(matched, self.bias[self.live], inputs, self.rules)

    @property
    def outside(self) -> float:
        """Return the share of the rows' squared length outside the span; NaN where all rows are 0."""
        size = float((self.rows**2).sum())
        return float(((self.rows - self.projected) ** 2).sum()) / size if size > 0 else float("nan")

    def agreement(self, inputs: Inputs) -> np.ndarray:
        """Return how often the largest product, and output, is that of the largest cosine, and by chance: (2, 2).

        First without, then with bias. Units whose row is all zero have no cosine and take no part.
        """
        there = (self.rows != 0).any(1)
        if not there.any() or not len(inputs.probe):
            return np.full((2, 2), np.nan)
        product = inputs.probe @ self.rows[there].T
        cosine = (inputs.probe @ directions(self.rows[there], "cosine").T).argmax(1)
        found = []
        for values in (product, product + self.bias[there]):
            winner = values.argmax(1)
            shares = [np.bincount(one, minlength=int(there.sum())) / len(one) for one in (winner, cosine)]
            found.append([(winner == cosine).mean(), shares[0] @ shares[1]])
        return np.array(found)

    def products(self, inputs: Inputs) -> np.ndarray:
        """Return what inner products winners and losers have: (gauge, part).

        Gauge: raw rows; rows centred over classes (NaN for a layer without that gauge). Part: mean of the winners, of
        the losers, their 5 % and 95 % quantiles, and the mean size of the losers as a share of the winners'.
        """
        found = [_parts(inputs.probe @ self.raw.T), np.full(5, np.nan)]
        if self.rules.gauge:
            found[1] = _parts(inputs.probe @ self.rows.T)
        return np.array(found)

    def silent_losers(self, inputs: Inputs) -> float:
        """Return the share of losers whose output is 0 after the ReLU; NaN without a ReLU or without losers."""
        if not self.rules.rectified or len(self.rows) < 2:
            return float("nan")
        losers = _without_winners(inputs.probe @ self.rows.T + self.bias)[1]
        return float((losers <= 0).mean())


def _without_winners(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest of each row (sample), and the others (sample, unit − 1)."""
    winner = values.argmax(1)
    others = np.ones(values.shape, dtype=bool)
    others[np.arange(len(values)), winner] = False
    return values[~others], values[others].reshape(len(values), -1)


def _parts(product: np.ndarray) -> np.ndarray:
    winners, losers = _without_winners(product)
    if not losers.size:
        return np.array([winners.mean(), *[np.nan] * 4])
    low, high = np.quantile(losers, (0.05, 0.95))
    size = np.abs(winners).mean()
    share = np.abs(losers).mean() / size if size > 0 else np.nan
    return np.array([winners.mean(), losers.mean(), low, high, share])


@dataclass(frozen=True)
class Pictures:
    """The pictures of a replica, and what a layer of its network makes of them at a frame."""

    replica: Replica
    training: np.ndarray
    label: np.ndarray
    probe: np.ndarray
    probe_label: np.ndarray
    sample: np.ndarray

    @classmethod
    def of(cls, replica: Replica, limit: int) -> Pictures:
        """Read all training pictures, and at most ``limit`` probe pictures, of each class the same number."""
        some = balanced(replica.probe.label.values, limit)
        training, probe = replica.training, replica.probe.isel(sample=some)
        images = [np.ascontiguousarray(part.image.values, dtype=np.float32) for part in (training, probe)]
        return cls(replica, images[0], training.label.values, images[1], probe.label.values, probe.sample.values)

    def taken(self, source: str, frame: int) -> Inputs:
        """Return the outputs of layer ``source`` at a frame as the next layer takes them."""
        training, probe = (self._outputs(source, frame, images) for images in (self.training, self.probe))
        return Inputs(training, self.label, probe, self.probe_label, len(self.replica.class_names))

    def _outputs(self, source: str, frame: int, images: np.ndarray) -> np.ndarray:
        import torch

        from seedscope.activations.capture import activations

        with self.replica.network(frame) as network:
            batches = (torch.from_numpy(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH))
            outputs = (out[source].flatten(1).numpy() for out in activations(network, [source], batches))
            found = next(outputs)
            if np.array_equal(found, images[:_BATCH].reshape(len(found), -1)):
                return images.reshape(len(images), -1)  # the layer hands the pictures on: no copy of them is needed
            whole = np.empty((len(images), found.shape[1]), dtype=found.dtype)
            whole[: len(found)] = found
            for number, part in enumerate(outputs, start=1):
                whole[number * _BATCH : number * _BATCH + len(part)] = part
        return whole

    def are(self, inputs: Inputs) -> bool:
        """Return whether these pictures are themselves a layer's inputs."""
        return np.shares_memory(inputs.training, self.training)

    def rectified(self, layer: str) -> bool:
        """Return whether a layer is followed by a ReLU."""
        import torch

        from seedscope.activations.capture import followed_by_relu

        with self.replica.network() as network:
            return layer in followed_by_relu(network, [layer], torch.from_numpy(self.probe[:1]))
