"""Finished replicas, kept by what determines them: a replica is trained once.

``.replicas/<fingerprint>/`` holds ``model.safetensors``, ``history.csv``, ``frames.nc`` and ``identity.json`` of a
finished replica, or the checkpoint and the frames of one on its way. The fingerprint is the SHA-256 of its identity:
the data, the network, the training, the seed of each random stream, the code that training runs, versions of the
libraries, processor type, threads and device. Adding a seed trains that seed; a killed run resumes at its last
finished epoch; the folder is safe to delete.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedscope.files.arrays import read_dataset
from seedscope.files.components import build
from seedscope.files.digests import digest, digest_of
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.paths import state_folder
from seedscope.files.reading import read_json
from seedscope.files.writing import copy_file, write_json, write_text
from seedscope.replicas.mapping import Report

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.replicas.streams import Stream
    from seedscope.replicas.training import Training

_APART = ("vary", "streams", "head", "device", "threads")  # of the training: what stands elsewhere in an identity
_KEPT = ("model.safetensors", "history.csv", "frames.nc")


def identity(experiment: Experiment, training: Training, data_digest: str, seed: int) -> dict[str, Any]:
    """Return all that determines a replica. Equal identities give equal bytes.

    A head that is drawn with the other weights is not named: such a replica is what it was before heads had a stream.
    """
    streams = training.streams_of(seed)
    settings = {key: value for key, value in asdict(training).items() if key not in _APART}
    named: tuple[Stream, ...] = ("weights", "order", "draw")
    content: dict[str, Any] = {
        "data": data_digest,
        "model": experiment.settings["model"],
        "training": settings,
        "streams": {name: streams.seed_of(name) for name in named},
        "environment": training.environment(),
        "code": experiment.code("replica"),
    }
    if streams.splits_the_head:
        content["streams"]["head"] = streams.seed_of("head")
        content["head"] = training.head
    if streams.draws:  # then the replica generates its own training pictures
        content |= {"draw_from": experiment.settings["data"], "inputs": experiment.section("inputs")}
    return content


def train_replica(experiment: Experiment, data_digest: str, seed: int, report: Report) -> bool:
    """Put the replica of ``seed`` where its artifacts lie; return whether it had to be trained for that.

    Raises:
        SeedscopeError: the loss became NaN, the data set is empty, a file cannot be read or written.
    """
    from seedscope.files.weights import save_weights
    from seedscope.replicas.training import history_csv, train

    training: Training = experiment.component("train")
    determined_by = identity(experiment, training, data_digest, seed)
    fingerprint = digest_of(determined_by)
    kept = state_folder() / fingerprint
    needed = not _finished(kept)
    if not needed:
        os.utime(kept)  # it is used now: see seedscope.replicas.eviction
    else:
        checkpoint = kept / "checkpoint.safetensors"
        try:
            trained = train(
                lambda: build(experiment.settings["model"]),
                training,
                _pictures(experiment, training, seed),
                seed,
                checkpoint=checkpoint,
                frames=kept / "frames.nc",
                report=report,
            )
        except SeedscopeError:
            # A worker that outlived its stage may have finished the very same replica, and cleared up, meanwhile.
            if not _finished(kept):
                raise
        else:
            save_weights(trained.model, kept / "model.safetensors")
            write_text(kept / "history.csv", history_csv(trained.history))
            files = {name: digest(kept / name) for name in _KEPT}
            # The identity is written last: where it stands and its digests hold, the replica is finished.
            write_json(kept / "identity.json", {"fingerprint": fingerprint, "files": files, **determined_by})
        checkpoint.unlink(missing_ok=True)
        shutil.rmtree(kept / "frames.nc.parts", ignore_errors=True)
    for name in (*_KEPT, "identity.json"):
        copy_file(kept / name, experiment.at.replica(seed) / name)
    report(1, 1)
    return needed


def _finished(kept: Path) -> bool:
    if not (kept / "identity.json").exists():
        return False
    try:
        files = read_json(kept / "identity.json")["files"]
        intact = all(digest(kept / name) == files[name] for name in _KEPT)
    except (SeedscopeError, KeyError, TypeError):
        intact = False
    if not intact:
        sys.stderr.write(f"{kept} was damaged after it was finished: it is trained again\n")
        shutil.rmtree(kept)
    return intact


def _pictures(experiment: Experiment, training: Training, seed: int) -> xr.Dataset:
    """Return the data set that this replica learns from: its own draw where its streams say so."""
    import xarray as xr

    with read_dataset(experiment.at.data, needs=("image", "label", "split")) as shared:
        data = shared.load()
    streams = training.streams_of(seed)
    if not streams.draws:
        return data
    probe = data.isel(sample=data.split.values == "probe").drop_vars("sample")
    return xr.concat(
        [experiment.component("data").training(streams.seed_of("draw")), probe], dim="sample", data_vars="all"
    )
