"""Finished replicas, kept by what determines them: a replica is trained once.

``.replicas/<fingerprint>/`` holds ``model.safetensors``, ``history.csv``, ``frames.nc`` and ``identity.json`` of a
finished replica, or the checkpoint and the frames of one on its way. The fingerprint is the SHA-256 of its identity:
the data, the network, the training, the seed of each random stream, the code that training runs, versions of the
libraries, processor type, threads and device. Adding a seed trains that seed; a killed run resumes at its last
finished epoch; the folder is safe to delete. Of replicas that are stacked, those of one stack are on their way in a
folder that is named for all of them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedscope.files.arrays import read_dataset
from seedscope.files.components import build
from seedscope.files.digests import digest, digest_of
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.names import in_a_sentence
from seedscope.files.paths import state_folder
from seedscope.files.reading import read_json
from seedscope.files.writing import copy_file, write_json, write_text
from seedscope.replicas.mapping import Engine, Report, SeedEngine, map_outcomes, map_seeds

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

    from seedscope.replicas.streams import Stream
    from seedscope.replicas.training import Training

_APART = ("vary", "streams", "head", "device", "threads")  # of the training: what stands elsewhere in an identity
_KEPT = ("model.safetensors", "history.csv", "frames.nc")


def identity(experiment: Experiment, training: Training, data_digest: str, seed: int) -> dict[str, Any]:
    """Return all that determines a replica. Equal identities give equal bytes.

    A head that is drawn with the other weights is not named, nor that a replica was not stacked: such a replica is
    what it was before heads had a stream, and before there were stacks.
    """
    streams = training.streams_of(seed)
    settings = {key: value for key, value in asdict(training).items() if key not in _APART}
    if not training.stacked:
        del settings["stacked"]
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


@dataclass(frozen=True)
class _Place:
    """One replica, and where it is kept."""

    experiment: Experiment
    training: Training
    seed: int
    determined_by: Mapping[str, Any]

    @classmethod
    def of(cls, experiment: Experiment, data_digest: str, seed: int) -> _Place:
        training: Training = experiment.component("train")
        return cls(experiment, training, seed, identity(experiment, training, data_digest, seed))

    @property
    def kept(self) -> Path:
        return state_folder() / digest_of(self.determined_by)

    def is_finished(self) -> bool:
        """Return whether the store has it whole; then it is used now: see :mod:`seedscope.replicas.eviction`."""
        finished = _finished(self.kept)
        if finished:
            os.utime(self.kept)
        return finished

    def finish(self, model: nn.Module, history: list[dict[str, float]]) -> None:
        """Keep what was trained; its frames are there already."""
        from seedscope.files.weights import save_weights
        from seedscope.replicas.training import history_csv

        save_weights(model, self.kept / "model.safetensors")
        write_text(self.kept / "history.csv", history_csv(history))
        files = {name: digest(self.kept / name) for name in _KEPT}
        # The identity is written last: where it stands and its digests hold, the replica is finished.
        fingerprint = {"fingerprint": self.kept.name}
        write_json(self.kept / "identity.json", {**fingerprint, "files": files, **self.determined_by})

    def deliver(self) -> None:
        """Put its artifacts where they belong."""
        for name in (*_KEPT, "identity.json"):
            copy_file(self.kept / name, self.experiment.at.replica(self.seed) / name)


def train_replica(experiment: Experiment, data_digest: str, seed: int, report: Report) -> bool:
    """Put the replica of ``seed`` where its artifacts lie; return whether it had to be trained for that.

    Where replicas are stacked and this one is not finished yet, it takes a stack by itself, at the price of a whole
    one: :func:`train_seeds` trains many for that.

    Raises:
        SeedscopeError: the loss became NaN, the data set is empty, a file cannot be read or written.
    """
    place = _Place.of(experiment, data_digest, seed)
    needed = not place.is_finished()
    if needed and place.training.stacked:
        failures = _train_stack([place], report)
        if failures:
            raise SeedscopeError(failures[seed])
    elif needed:
        _train_alone(place, report)
    place.deliver()
    report(1, 1)
    return needed


def train_seeds(
    experiments: Mapping[int, Experiment],
    data_digest: str,
    engine: SeedEngine,
    label: str,
    called: Callable[[int], str] = in_a_sentence,
) -> dict[int, bool]:
    """Put the replicas of all seeds where their artifacts lie; return which of them had to be trained for that.

    Stacks of seeds are mapped as single seeds would be: a stack is one process. On an accelerator there is one at a
    time, for it fills it. A seed that fails in a stack does not end the others.

    Args:
        experiments: by seed; they differ by nothing but random streams.
        data_digest: of the data set that all learn from.
        engine: where they run.
        label: what is done, for the progress bar and the names of the logs.
        called: what a seed is called in sentences.

    Raises:
        SeedscopeError: some seeds failed; the others are done. The sentence names each and its reason.
    """
    seeds = list(experiments)
    first = experiments[seeds[0]]
    training: Training = first.component("train")
    if not training.stacked:
        return map_seeds(partial(_train_one, experiments, data_digest), seeds, engine, label, called)
    from seedscope.replicas.stackable import width

    wide = width(build(first.section("model")), first.component("data").shape, training)
    stacks = {seeds[start]: seeds[start : start + wide] for start in range(0, len(seeds), wide)}
    if isinstance(engine, Engine) and training.resolved_device().type != "cpu":
        engine = replace(engine, workers=1)
    found = map_outcomes(partial(_train_some, experiments, data_digest, stacks), list(stacks), engine, label)
    trained: dict[int, bool | str] = {}
    for lead, stack in stacks.items():
        trained |= found[lead].value or dict.fromkeys(stack, f"{found[lead].failure}")
    failures = [f"{called(seed)}: {failure}" for seed, failure in trained.items() if isinstance(failure, str)]
    if failures:
        finished = len(seeds) - len(failures)
        raise SeedscopeError(f"{label}: {'; '.join(failures)} ({finished} of {len(seeds)} seeds finished)")
    return {seed: bool(needed) for seed, needed in trained.items()}


def train_stacks_ahead(
    experiments: Mapping[int, Experiment],
    data_digest: str,
    engine: SeedEngine,
    label: str,
    called: Callable[[int], str] = in_a_sentence,
) -> dict[int, bool]:
    """Train as :func:`train_seeds` where replicas are stacked: :func:`train_replica` then finds each in the store.

    Others are left to :func:`train_replica`, so that a seed can be looked at as soon as it is trained.
    """
    if not next(iter(experiments.values())).component("train").stacked:
        return dict.fromkeys(experiments, False)
    return train_seeds(experiments, data_digest, engine, label, called)


def _train_one(experiments: Mapping[int, Experiment], data_digest: str, seed: int, report: Report) -> bool:
    return train_replica(experiments[seed], data_digest, seed, report)


def _train_some(
    experiments: Mapping[int, Experiment],
    data_digest: str,
    stacks: Mapping[int, Sequence[int]],
    lead: int,
    report: Report,
) -> dict[int, bool | str]:
    """Train the stack that begins with seed ``lead``; return by seed whether it had to be trained, or why it failed."""
    places = [_Place.of(experiments[seed], data_digest, seed) for seed in stacks[lead]]
    unfinished = [place for place in places if not place.is_finished()]
    failures = _train_stack(unfinished, report) if unfinished else {}
    for place in places:
        if place.seed not in failures:
            place.deliver()
    report(1, 1)
    trained = {place.seed for place in unfinished}
    return {place.seed: failures.get(place.seed, place.seed in trained) for place in places}


def _train_alone(place: _Place, report: Report) -> None:
    from seedscope.replicas.training import train

    checkpoint = place.kept / "checkpoint.safetensors"
    try:
        trained = train(
            lambda: build(place.experiment.settings["model"]),
            place.training,
            _pictures(place),
            place.seed,
            checkpoint=checkpoint,
            frames=place.kept / "frames.nc",
            report=report,
        )
    except SeedscopeError:
        # A worker that outlived its stage may have finished the very same replica, and cleared up, meanwhile.
        if not _finished(place.kept):
            raise
    else:
        place.finish(trained.model, trained.history)
    checkpoint.unlink(missing_ok=True)
    shutil.rmtree(place.kept / "frames.nc.parts", ignore_errors=True)


def _train_stack(places: Sequence[_Place], report: Report) -> dict[int, str]:
    """Train and keep the replicas of one stack; return why some failed, by seed.

    Until they are finished their checkpoint and frames lie in a folder of the store that is named for all of them.
    """
    from seedscope.replicas.stacked import Place, train_stacked

    together = state_folder() / digest_of({"stacked": [place.kept.name for place in places]})
    shared = _pictures(places[0])
    failures: dict[int, str] = {}
    try:
        block = train_stacked(
            lambda: build(places[0].experiment.settings["model"]),
            places[0].training,
            [
                Place(streams, _pictures(place) if streams.draws else shared)
                for place in places
                for streams in [place.training.streams_of(place.seed)]
            ],
            checkpoint=together / "checkpoint.safetensors",
            frames=together / "frames",
            report=report,
        )
        written: Path | None = None
        for number, place in enumerate(places):
            failure = block.failure(number)
            if failure is not None:
                failures[place.seed] = failure
            else:
                block.write_frames(number, place.kept / "frames.nc", written)
                written = place.kept / "frames.nc"
                place.finish(block.stack.network(number), block.history(number))
    except SeedscopeError:
        # As for one replica: a worker that outlived its stage may have finished these.
        if not all(_finished(place.kept) for place in places):
            raise
    shutil.rmtree(together, ignore_errors=True)
    return failures


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


def _pictures(place: _Place) -> xr.Dataset:
    """Return the data set that this replica learns from: its own draw where its streams say so."""
    import xarray as xr

    with read_dataset(place.experiment.at.data, needs=("image", "label", "split")) as shared:
        data = shared.load()
    streams = place.training.streams_of(place.seed)
    if not streams.draws:
        return data
    probe = data.isel(sample=data.split.values == "probe").drop_vars("sample")
    drawn: xr.Dataset = xr.concat(
        [place.experiment.component("data").training(streams.seed_of("draw")), probe], dim="sample", data_vars="all"
    )
    return drawn
