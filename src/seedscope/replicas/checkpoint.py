"""Checkpoints: networks on their way with optimiser and history, in one file that proves itself whole.

    <name>.safetensors: model.<state_dict name>, optimizer.<parameter>.<moment>; metadata: history, SHA-256 of the rest

It is written in one step after every epoch, so a run that was killed finds either the last epoch or the one before.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from seedscope.files.weights import plain
from seedscope.files.writing import replacing

if TYPE_CHECKING:
    from seedscope.replicas.frames import Frames
    from seedscope.replicas.training import Progress


def keep(progress: Progress, checkpoint: Path) -> None:
    """Write what training needs to go on from here."""
    tensors = {f"model.{name}": tensor for name, tensor in progress.model.state_dict().items()}
    for index, state in progress.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in state.items()}
    tensors = plain(tensors)
    about = json.dumps({"history": progress.history, "sha256": hashlib.sha256(save(tensors)).hexdigest()})
    content = save(tensors, metadata={"about": about})
    with replacing(checkpoint) as temporary:
        temporary.write_bytes(content)


def resume(progress: Progress, checkpoint: Path, film: Frames | None, steps_per_epoch: int) -> None:
    """Bring training to where the checkpoint was written; a damaged one is said to be so and left aside.

    Args:
        progress: at its beginning; its network, optimiser and history are changed.
        checkpoint: the file; it must exist.
        film: the frames so far: without them all, training starts from the first epoch too.
        steps_per_epoch: steps in each epoch.
    """
    try:
        with safe_open(checkpoint, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
            about = json.loads(file.metadata()["about"])
        intact = about["sha256"] == hashlib.sha256(save(tensors)).hexdigest()
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        intact = False
    if not intact:
        sys.stderr.write(f"{checkpoint} is damaged: this replica starts again from its first epoch\n")
        return
    if film is not None and not film.whole_until(len(about["history"]) * steps_per_epoch):
        sys.stderr.write(f"{film.folder} lacks frames: this replica starts again from its first epoch\n")
        return
    progress.history.extend(about["history"])
    model = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    progress.model.load_state_dict(model)
    parameters = list(progress.model.parameters())
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            like = parameters[int(index)]
            # The fused optimiser walks through memory: its moments must lie there as their parameter does.
            laid_out = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
            state.setdefault(int(index), {})[key] = laid_out
    groups = progress.optimizer.state_dict()["param_groups"]
    progress.optimizer.load_state_dict({"state": state, "param_groups": groups})
