"""Train one replica: exactly the same bits whenever the same things determine it.

    for every epoch: a fresh permutation of the training pictures; for every batch: one Adam step on the mean
    cross-entropy (one logit: binary cross-entropy of the positive class).

Source: Kingma and Ba (2015), *Adam*. The whole training set is one tensor, shuffled once per epoch and cut into
batches, with ``channels_last`` layout and the fused optimiser. Bits depend on the number of torch threads and on
the CPU type, so both belong to a replica's identity. All randomness of an epoch derives from (seed, epoch): a run
that was killed resumes at its last finished epoch and ends in the same bytes.
"""

from __future__ import annotations

import csv
import io
import math
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt
from torch import nn

from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.replicas.checkpoint import keep, resume
from seedscope.replicas.determinism import deterministic
from seedscope.replicas.frames import LIMIT, Frames, schedule
from seedscope.replicas.optimizer import Adam
from seedscope.replicas.streams import Stream, Streams

if TYPE_CHECKING:
    import xarray as xr

_EVALUATED_AT_ONCE = 512  # pictures, or fewer …
_VALUES_AT_ONCE = 2**19  # … where they are large: the first maps of 512 pictures of 150×150 would take 1.4 GB


@dataclass(frozen=True)
class Training:
    """How a replica is trained.

    Attributes:
        epochs: passes over the training pictures; 0 leaves the network untrained.
        batch_size: pictures per step; the last step of an epoch takes what is left.
        learning_rate: Adam's step size.
        early_frames: how many frames of the network are kept within the first epoch, at log-spaced steps.
        epochs_per_frame: later a frame is kept after each so many epochs, and after the last.
        vary: the random streams that a seed changes: ``weights``, ``order``, ``draw``, ``head``.
        streams: seeds of their own for some streams, whatever the replica's; see :mod:`seedscope.replicas.streams`.
        head: the dense layer whose initial weights are the stream ``head``.
        device: where to train; ``auto`` takes CUDA where there is one.
        threads: torch threads of a replica; another number gives other bits.
        stacked: train many seeds of the network at once in one process, :mod:`seedscope.replicas.stacked`; the bits
            are others, and a seed's do not depend on which seeds are trained with it.
    """

    epochs: Annotated[int, Ge(0)] = 8
    batch_size: Annotated[int, Ge(1)] = 64
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    early_frames: Annotated[int, Ge(0)] = 8
    epochs_per_frame: Annotated[int, Ge(1)] = 1
    vary: tuple[Stream, ...] = ("weights", "order")
    streams: Mapping[Stream, Annotated[int, Ge(0)]] = field(default_factory=dict)
    head: str = ""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Ge(1)] = 1
    stacked: bool = False

    def resolved_device(self) -> torch.device:
        """Return the device to train on; asking for CUDA where there is none is refused."""
        available = torch.cuda.is_available()
        if self.device == "cuda" and not available:
            raise SettingError("device", "cuda was asked for and there is none here: use `auto` or `cpu`")
        return torch.device("cuda" if available and self.device != "cpu" else "cpu")

    def streams_of(self, seed: int) -> Streams:
        """Return the random streams of the replica of a seed."""
        return Streams(seed, self.vary, self.streams)

    def check_head(self, model: nn.Module) -> None:
        """Refuse to draw a head apart from the other weights where the network has no layer of that name."""
        asked = "head" in self.vary or "head" in self.streams
        if asked and (not self.head or self.head not in dict(model.named_modules())):
            raise SettingError("head", f"the stream 'head' is asked for, and the network has no layer {self.head!r}")

    def check_frames(self, size: int) -> None:
        """Refuse to keep more frames of a network of ``size`` bytes than fit into the limit."""
        frames = 1 + (self.early_frames if self.epochs else 0) + -(-self.epochs // self.epochs_per_frame)
        if frames * size > LIMIT:
            raise SettingError(
                "epochs_per_frame",
                f"{frames} frames of this network take {frames * size / 1e6:.0f} MB a seed, and {LIMIT / 1e6:.0f} MB "
                "are allowed: keep fewer by a larger epochs_per_frame or a smaller early_frames",
            )

    def steps_per_epoch(self, n_train: int) -> int:
        """Return the number of steps in an epoch over ``n_train`` pictures."""
        return -(-n_train // self.batch_size)

    def environment(self) -> dict[str, Any]:
        """Return what the surroundings add to a result: versions, processor type, threads, device."""
        device = self.resolved_device()
        return {
            "python": ".".join(platform.python_version_tuple()[:2]),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
            "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
            "threads": self.threads,
        }


@dataclass(frozen=True)
class Split:
    """Pictures (sample, channel, y, x) and labels (sample) on one device."""

    image: torch.Tensor
    label: torch.Tensor

    @classmethod
    def of(cls, data: xr.Dataset, split: str, device: torch.device) -> Split:
        """Take one split of a data set; it may be empty."""
        chosen = np.flatnonzero(data.split.values == split)
        together = len(chosen) > 0 and chosen[-1] - chosen[0] + 1 == len(chosen)
        # Samples that lie together are not copied: those of MNIST take 200 MB.
        part = data.isel(sample=slice(chosen[0], chosen[-1] + 1) if together else chosen)
        image = torch.from_numpy(part.image.values).contiguous(memory_format=torch.channels_last)
        return cls(image.to(device), torch.from_numpy(part.label.values).to(device))

    def __len__(self) -> int:
        return len(self.label)

    def take(self, samples: torch.Tensor) -> torch.Tensor:
        """Return some of the pictures, laid out in memory as all of them are.

        A picture is one row of memory, whatever the layout of its axes; copying rows is several times faster than
        gathering by four axes.
        """
        size = self.image[0].numel()
        rows = self.image.as_strided((len(self), size), (size, 1)).index_select(0, samples)
        return rows.as_strided((len(samples), *self.image.shape[1:]), self.image.stride())


@dataclass(frozen=True)
class Progress:
    """A replica on its way: the next epoch, its network and optimiser, and one history row per finished epoch."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    history: list[dict[str, float]] = field(default_factory=list)


def loss_of(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Return the loss of each sample: cross-entropy, or binary cross-entropy where there is one logit.

    Args:
        logits: (sample, target); with one target it is the score of label 1.
        label: (sample), integers.
    """
    if logits.shape[1] == 1:
        return nn.functional.binary_cross_entropy_with_logits(logits[:, 0], label.to(logits.dtype), reduction="none")
    return nn.functional.cross_entropy(logits, label, reduction="none")


def decision(logits: torch.Tensor) -> torch.Tensor:
    """Return the class that the logits decide for: the largest; with one logit, 1 where it is positive."""
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).long()
    return logits.argmax(1)


@torch.inference_mode()
def evaluate(model: nn.Module, split: Split) -> tuple[float, float]:
    """Return the mean loss and the accuracy on a split, with the network in evaluation mode."""
    model.eval()
    loss = torch.zeros((), dtype=torch.float64, device=split.label.device)
    correct = torch.zeros((), dtype=torch.int64, device=split.label.device)
    at_once = min(_EVALUATED_AT_ONCE, max(1, _VALUES_AT_ONCE // split.image[:1].numel()))
    for start in range(0, len(split), at_once):
        batch = slice(start, start + at_once)
        logits, label = model(split.image[batch]), split.label[batch]
        loss += loss_of(logits, label).sum(dtype=torch.float64)
        correct += (decision(logits) == label).sum()
    return float(loss) / len(split), float(correct) / len(split)


def train(
    network: Callable[[], nn.Module],
    training: Training,
    data: xr.Dataset,
    seed: int,
    *,
    checkpoint: Path | None = None,
    frames: Path | None = None,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> Progress:
    """Train one replica and return it.

    Args:
        network: makes the network; its initial weights are drawn from the streams ``weights`` and ``head``.
        training: how to train.
        data: pictures with splits ``train``, ``probe`` and, where there is one, ``validation``.
        seed: the replica's seed.
        checkpoint: file that keeps the last finished epoch of this very replica, and is resumed from when it
            exists; a damaged one is said to be so, and training starts from the first epoch.
        frames: file that gets the network at chosen steps (see :mod:`seedscope.replicas.frames`); until it is written
            they lie in a folder beside it that has its name and ``.parts``.
        report: called with (epochs done, epochs in all).

    Raises:
        SeedscopeError: a loss is not finite; the sentence names its step and the learning rate.
    """
    streams = training.streams_of(seed)
    device = training.resolved_device()
    splits = {name: Split.of(data, name, device) for name in ("train", "validation", "probe")}
    if not len(splits["train"]) or not len(splits["probe"]):
        raise SeedscopeError("the data set has no train or no probe pictures: there is nothing to learn from")
    with deterministic(training.threads):
        progress = _begin(network, training, streams, device)
        model = progress.model
        steps = training.steps_per_epoch(len(splits["train"]))
        film = None
        if frames is not None:
            due = schedule(steps, training.epochs, training.early_frames, training.epochs_per_frame)
            film = Frames(frames.with_name(f"{frames.name}.parts"), due)
        if checkpoint is not None and checkpoint.exists():
            resume(progress, checkpoint, film, steps)
        if film is not None and not progress.history:
            film.take(0, model)
        for epoch in range(len(progress.history), training.epochs):
            report(epoch, training.epochs)
            row = {"epoch": epoch + 1, **_epoch(progress, training, splits["train"], streams, epoch, film)}
            for name in ("validation", "probe"):
                if len(splits[name]):
                    row[f"{name}_loss"], row[f"{name}_accuracy"] = evaluate(model, splits[name])
                    require_finite(row[f"{name}_loss"], f"{name} loss", training, epoch, (epoch + 1) * steps)
            progress.history.append(row)
            if checkpoint is not None:
                keep(progress, checkpoint)
        if film is not None and frames is not None:
            film.assemble(frames, steps)
        report(training.epochs, training.epochs)
    return progress


def replay(
    network: Callable[[], nn.Module],
    training: Training,
    data: xr.Dataset,
    seed: int,
    watch: Callable[[Progress, torch.Tensor], None],
) -> nn.Module:
    """Train a replica once more, bit for bit where the surroundings are the same, and return its network.

    A replica that was stacked is trained alone here: it takes the same steps but for rounding.

    Args:
        network: makes the network, as for :func:`train`.
        training: how it was trained.
        data: pictures with the split ``train``; no other is looked at.
        seed: the replica's seed.
        watch: called after each step of the optimiser with network and optimiser, and with the positions of the
            batch's pictures among those of the split.
    """
    streams, device = training.streams_of(seed), training.resolved_device()
    split = Split.of(data, "train", device)
    with deterministic(training.threads):
        progress = _begin(network, training, streams, device)
        for epoch in range(training.epochs):
            _epoch(progress, training, split, streams, epoch, None, watch)
    return progress.model


def initial_network(network: Callable[[], nn.Module], training: Training, streams: Streams) -> nn.Module:
    """Make a network with the initial weights that the streams ``weights`` and ``head`` draw."""
    theirs: nn.Module | None = None
    if streams.splits_the_head:  # built first, for the last network that is made is the one that is trained
        torch.manual_seed(streams.number("head"))
        theirs = network()
        training.check_head(theirs)
    torch.manual_seed(streams.number("weights"))
    model = network()
    if theirs is not None:
        model.get_submodule(training.head).load_state_dict(theirs.get_submodule(training.head).state_dict())
    return model


def _begin(network: Callable[[], nn.Module], training: Training, streams: Streams, device: torch.device) -> Progress:
    model = initial_network(network, training, streams)
    model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # overload lacks both
    return Progress(model, Adam(model.parameters(), lr=training.learning_rate, fused=True))


def _epoch(
    progress: Progress,
    training: Training,
    split: Split,
    streams: Streams,
    epoch: int,
    film: Frames | None,
    watch: Callable[[Progress, torch.Tensor], None] | None = None,
) -> dict[str, float]:
    """Run one epoch; losses and accuracies are those of the batches as they came by."""
    model, optimizer = progress.model, progress.optimizer
    device = split.label.device
    torch.manual_seed(streams.number("order", epoch, 1))  # dropout and the like
    order = torch.from_numpy(streams.generator("order", epoch, 0).permutation(len(split))).to(device)
    total, size = len(split), training.batch_size
    losses = torch.empty(-(-total // size), device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    loss_sum = torch.zeros((), dtype=torch.float64, device=device)
    model.train()
    for step, start in enumerate(range(0, total, size)):
        batch = order[start : start + size]
        label = split.label[batch]
        try:
            logits = model(split.take(batch))
        except ValueError as error:  # torch's word for a mean over one picture
            if len(batch) > 1:
                raise
            raise one_left(total, size) from error
        loss = loss_of(logits, label).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        optimizer.step()
        with torch.no_grad():
            losses[step] = loss
            loss_sum += loss.double() * len(logits)
            correct += (decision(logits) == label).sum()
        if film is not None:
            film.take(epoch * len(losses) + step + 1, model)
        if watch is not None:
            watch(progress, batch)
    # Looked at once per epoch: on a GPU a look at every step would cost more than the steps after a bad one.
    bad = torch.nonzero(~torch.isfinite(losses))
    if len(bad):
        first = int(bad[0])
        require_finite(float(losses[first]), "loss", training, epoch, epoch * len(losses) + first)
    return {"train_loss": float(loss_sum) / total, "train_accuracy": float(correct) / total}


def require_finite(value: float, what: str, training: Training, epoch: int, step: int) -> None:
    """Refuse a value that is no number any more; ``step`` counts the optimiser's steps before it was computed."""
    if not math.isfinite(value):
        raise SeedscopeError(
            f"the {what} became {value} at step {step} (epoch {epoch + 1}) with learning rate "
            f"{training.learning_rate:g}: lower train.learning_rate"
        )


def one_left(total: int, size: int) -> SeedscopeError:
    """Return what refuses a last batch of one picture to a network that cannot learn from it."""
    return SeedscopeError(
        f"the network cannot learn from one picture at a time, as batch norm cannot, and of {total} pictures "
        f"batches of {size} leave one: choose another train.batch_size"
    )


def history_csv(history: list[dict[str, float]]) -> str:
    """Return the history as CSV: ``epoch,train_loss,train_accuracy,[validation_…,]probe_loss,probe_accuracy``."""
    columns = list(history[0]) if history else ["epoch", "train_loss", "train_accuracy", "probe_loss", "probe_accuracy"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: f"{value:.8g}" for key, value in row.items()} for row in history)
    return text.getvalue()
