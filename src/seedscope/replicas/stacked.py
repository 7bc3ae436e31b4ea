"""Train many replicas of one network at once: a stack of them takes every step together.

    logits(sample, place, target) = vmap(network)(parameters(place, …), picture(sample, place, channel, y, x))
    step: the gradient of Σ_place mean loss(place), then one fused Adam over the stack, elementwise

Each place of the stack holds the network of one seed, whose batches are those of its own stream ``order``: what it
learns is what :func:`seedscope.replicas.training.train` would teach it, but for rounding. Python, the dispatch of a
layer and a small matrix cost as much for one network as for many, so tiny networks train several times faster on one
core, and an accelerator is filled. Source: ``torch.func`` (``stack_module_state``, ``functional_call``, ``vmap``).

*A seed's bits do not depend on its company.* All operations act on places side by side, but two things would let a
place matter. Kernels are chosen by the size of the stack: so every stack has the same width, and empty places hold
copies. And what is left over when a kernel has gone through memory in whole vectors, at the end of the stack, is
computed by other instructions, whose exp or fused product may round otherwise (measured: with fewer than 32 places the
last one comes out with other bits): so the width is a multiple of the 32 numbers that torch's widest vector loop takes
at once, and nothing is left over. Several threads would cut the stack elsewhere, so they are refused. That all this
holds for a network and its processor is proved before each training: copies of one network, on the same pictures, must
stay equal to the bit in every place.

What cannot be stacked is refused before anything is trained: dropout and whatever else is random in a network (its
draws would depend on the places), and what ``vmap`` cannot run or runs otherwise than the network alone does. Batch
norm is itself in every place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from seedscope.files.errors import SeedscopeError
from seedscope.replicas.checkpoint import keep, resume
from seedscope.replicas.determinism import deterministic
from seedscope.replicas.frames import Frames, schedule
from seedscope.replicas.stack import Stack, StackedPictures, evaluate_stack
from seedscope.replicas.stackable import check_stackable, require_own_bits, width
from seedscope.replicas.streams import Streams
from seedscope.replicas.training import Progress, Training, initial_network, one_left, require_finite

if TYPE_CHECKING:
    import xarray as xr

_SPLITS = ("train", "validation", "probe")


@dataclass(frozen=True)
class Place:
    """Who takes one place of a stack: random streams, and pictures with their splits."""

    streams: Streams
    data: xr.Dataset


@dataclass(frozen=True)
class Block:
    """What came of the places of one stack, each by its number.

    Attributes:
        stack: the networks.
        rows: one per finished epoch: each column's numbers by place; ``failed`` says in words why a place failed.
        film: the frames of all places.
        steps: steps in each epoch.
    """

    stack: Stack
    rows: list[dict[str, Any]] = field(default_factory=list)
    film: Frames | None = None
    steps: int = 0

    def failure(self, place: int) -> str | None:
        """Return why the network of a place could not be trained."""
        return next((row["failed"][place] for row in self.rows if row["failed"][place]), None)

    def history(self, place: int) -> list[dict[str, float]]:
        """Return the history of one place, as that of a replica that was trained alone."""
        return [
            {"epoch": row["epoch"], **{name: values[place] for name, values in row["columns"].items()}}
            for row in self.rows
        ]

    def write_frames(self, place: int, path: Path, like: Path | None = None) -> None:
        """Write the frames of one place as those of a replica that was trained alone; ``like``: another place's."""
        if self.film is not None:
            self.film.assemble(path, self.steps, place, like)


def train_stacked(
    network: Callable[[], nn.Module],
    training: Training,
    places: Sequence[Place],
    *,
    checkpoint: Path | None = None,
    frames: Path | None = None,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> Block:
    """Train the replicas of one stack and return them.

    Args:
        network: makes the network.
        training: how to train; of each replica the same, streams apart.
        places: who is trained: as many as the width of a stack (:func:`width`), or fewer.
        checkpoint: file that keeps the last finished epoch of these very places, and is resumed from.
        frames: folder that gets the stack at chosen steps; :meth:`Frames.assemble` takes a place out of it.
        report: called with (epochs done, epochs in all).

    Raises:
        SettingError: the network cannot be stacked, or on this processor not without its bits depending on its place.
        SeedscopeError: there is nothing to learn from. A place whose loss is not finite does not end the others: it
            is named by :meth:`Block.failure`.
    """
    device, shape = training.resolved_device(), places[0].data.image.shape[1:]
    check_stackable(network, training, shape)
    with deterministic(training.threads):
        wide = width(network(), shape, training)
        filled = [*places, *[places[0]] * (wide - len(places))]
        pictures = {name: StackedPictures.of([one.data for one in filled], name, device) for name in _SPLITS}
        if not pictures["train"].count or not pictures["probe"].count:
            raise SeedscopeError("the data set has no train or no probe pictures: there is nothing to learn from")
        models = [initial_network(network, training, place.streams).to(device) for place in places]
        require_own_bits(models[0], training, pictures, wide)
        stack = Stack.of(models + models[:1] * (wide - len(places)), training.learning_rate)
        del models
        steps = training.steps_per_epoch(pictures["train"].count)
        due = schedule(steps, training.epochs, training.early_frames, training.epochs_per_frame)
        film = None if frames is None else Frames(frames, due)
        progress = Progress(stack.many, stack.optimizer)
        if checkpoint is not None and checkpoint.exists():
            resume(progress, checkpoint, film, steps)
        block = Block(stack, progress.history, film, steps)
        if film is not None and not block.rows:
            film.take(0, stack.many)
        for epoch in range(len(block.rows), training.epochs):
            if all(block.failure(place) for place in range(len(places))):
                break
            report(epoch, training.epochs)
            block.rows.append(_row(stack, training, pictures, [one.streams for one in filled], epoch, film))
            if checkpoint is not None:
                keep(progress, checkpoint)
        report(training.epochs, training.epochs)
    return block


def _row(
    stack: Stack,
    training: Training,
    pictures: Mapping[str, StackedPictures],
    streams: Sequence[Streams],
    epoch: int,
    film: Frames | None,
) -> dict[str, Any]:
    """Run one epoch and return its row of :class:`Block`."""
    columns: dict[str, list[float]] = {}
    losses, columns["train_loss"], columns["train_accuracy"] = _epoch(
        stack, training, pictures["train"], streams, epoch, film
    )
    failed = [_not_finite(values, "loss", training, epoch, epoch * len(values)) for values in losses.T]
    for name in _SPLITS[1:]:
        if pictures[name].count:
            loss, columns[f"{name}_accuracy"] = evaluate_stack(stack, pictures[name], training.batch_size)
            columns[f"{name}_loss"] = loss
            ends = (epoch + 1) * len(losses)
            found = [_not_finite(np.array([value]), f"{name} loss", training, epoch, ends) for value in loss]
            failed = [before or now for before, now in zip(failed, found, strict=True)]
    ordered = {
        name: columns[name] for split in _SPLITS for name in (f"{split}_loss", f"{split}_accuracy") if name in columns
    }
    return {"epoch": epoch + 1, "columns": ordered, "failed": failed}


def _not_finite(values: np.ndarray, what: str, training: Training, epoch: int, step: int) -> str | None:
    """Return the sentence that refuses the first value that is no number any more."""
    bad = np.flatnonzero(~np.isfinite(values))
    try:
        for first in bad[:1]:
            require_finite(float(values[first]), what, training, epoch, step + int(first))
    except SeedscopeError as error:
        return str(error)
    return None


def _epoch(
    stack: Stack,
    training: Training,
    pictures: StackedPictures,
    streams: Sequence[Streams],
    epoch: int,
    film: Frames | None,
) -> tuple[np.ndarray, list[float], list[float]]:
    """Run one epoch; return the loss (step, place), its mean over pictures and the accuracy, by place."""
    device, total = pictures.start.device, pictures.count
    orders = [one.generator("order", epoch, 0).permutation(total) for one in streams]
    order = torch.from_numpy(np.stack(orders, axis=1)).to(device)
    losses = torch.empty(training.steps_per_epoch(total), len(streams), device=device)
    loss_sum = torch.zeros(len(streams), dtype=torch.float64, device=device)
    correct = torch.zeros(len(streams), dtype=torch.int64, device=device)
    stack.one.train()
    for step, batch in enumerate(torch.split(order, training.batch_size)):
        try:
            losses[step], right = stack.step(*pictures.take(batch))
        except ValueError as error:  # torch's word for a mean over one picture
            if len(batch) > 1:
                raise
            raise one_left(total, training.batch_size) from error
        loss_sum += losses[step].double() * len(batch)
        correct += right
        if film is not None:
            film.take(epoch * len(losses) + step + 1, stack.many)
    return losses.cpu().numpy(), (loss_sum / total).tolist(), (correct.double() / total).tolist()
