"""Sweeps: variants of an experiment that differ in one setting and share everything else, the seeds included.

    conf/experiment/<experiment>.yaml    sweep: {<sweep>: {key: data.noise, values: [0.1, 0.2, 0.4]}}
    params.yaml                          sweeps: [<experiment>-<sweep>]
    → runs/configs/<experiment>-<sweep>.json: the key, its value in the experiment, and each variant's settings

A sweep may also cross random streams: :mod:`seedscope.settings.crossings`. A block ``sweep`` may also stand in the
experiment's block of ``params.yaml``. What refers to the key (``${data.noise}``) follows it, and every variant is
checked as an experiment is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seedscope.files.errors import SeedscopeError, did_you_mean
from seedscope.files.experiment import CROSSED
from seedscope.settings import crossings
from seedscope.settings.names import name_problem
from seedscope.settings.one_experiment import SWEEP, resolved, written
from seedscope.settings.said import Composed, Said, block, dotted, leaves, merged, read_yaml

_SWEPT = ("data", "model", "train", "dump", "readout", "lenses")  # sections in which variants may differ
_KEYS = ("key", "values")


@dataclass(frozen=True)
class ComposedSweep:
    """All variants of one sweep.

    Attributes:
        name: ``<experiment>-<sweep>``.
        key: the setting that is swept.
        base: the experiment as it is without the sweep.
        base_value: the setting's value in it.
        values: the setting's value in each variant, in the order in which they are written.
        variants: the experiment with each of them.

    Of a crossing the key is ``streams``, the one value has the number of levels of each, and the seeds of its one
    variant number its cells.
    """

    name: str
    key: str
    base: Composed
    base_value: Any
    values: tuple[Any, ...]
    variants: tuple[Composed, ...]

    @property
    def seeds(self) -> list[int]:
        """Return the seeds that every variant has."""
        return list(self.variants[0].settings["seeds"])

    @contextmanager
    def named(self, value: Any) -> Iterator[None]:
        """Say of a mistake in which variant it is: the file that it names may be right in the experiment itself."""
        with _named(f"{self.name}, {self.key} = {value}"):
            yield


def declared_sweeps(experiments: Sequence[str], params: Mapping[str, Any], project: Path) -> dict[str, tuple[str, str]]:
    """Return (experiment, sweep) by ``<experiment>-<sweep>`` for every block ``sweep`` of these experiments."""
    declared: dict[str, tuple[str, str]] = {}
    for experiment in experiments:
        turned = params.get(experiment) or {}
        own = {key: value for key, value in turned.items() if str(key).split(".")[0] == SWEEP}
        said = (read_yaml(f"conf/experiment/{experiment}.yaml", project), block(f"{experiment}.", own))
        blocks = [file[SWEEP] for file in said if isinstance(file.get(SWEEP), Mapping)]
        for sweep in dict.fromkeys(str(name) for names in blocks for name in names):
            name = f"{experiment}-{sweep}"
            if name.lower() in {other.lower() for other in (*declared, *experiments)}:
                raise SeedscopeError(
                    f"conf/experiment/{experiment}.yaml: sweep.{sweep}: another is called {name!r} too"
                )
            declared[name] = (experiment, sweep)
    return declared


def check_sweeps(experiment: Composed) -> None:
    """Refuse a block ``sweep`` of the wrong shape, whether its sweeps are asked for or not."""
    sweeps = experiment.settings.get(SWEEP, {})
    if not isinstance(sweeps, Mapping):
        raise SeedscopeError(f"{experiment.where(SWEEP)} must be a block of sweeps, not {sweeps!r}")
    for sweep in sweeps:
        _check_sweep(experiment, sweep)


def compose_sweep(name: str, experiment: str, sweep: str, params: Mapping[str, Any], project: Path) -> ComposedSweep:
    """Return one sweep with all its variants composed; what is wrong in one of them is refused."""
    unresolved = written(experiment, params, project)
    check_sweeps(unresolved)
    base = resolved(unresolved)
    if base.settings["train"] is None:
        raise SeedscopeError(f"{base.where('train')}: a sweep compares seeds, and given weights have none ({name})")
    spec = unresolved.settings[SWEEP][sweep]
    if crossings.is_crossing(spec):
        levels = crossings.levels(spec)
        with _named(f"{name}, {CROSSED} = {folder(levels)}"):
            variant = crossings.crossed(unresolved, sweep)
        return ComposedSweep(name, CROSSED, base, None, (levels,), (variant,))
    _check_key(unresolved, sweep)
    path = next(path for path in leaves(unresolved.settings) if dotted(path) == spec["key"])
    file, _, place = unresolved.where(SWEEP, sweep, "values").partition(": ")
    variants = []
    for value in spec["values"]:
        setting: Any = value
        for key in reversed(path):
            setting = {key: setting}
        swept = replace(
            unresolved,
            settings=merged(unresolved.settings, setting),
            said=(Said(file, setting, prefix=f"{place}: "), *unresolved.said),
        )
        with _named(f"{name}, {spec['key']} = {value}"):
            variants.append(resolved(swept))
    return ComposedSweep(name, spec["key"], base, base.at(*path), tuple(spec["values"]), tuple(variants))


def folder(value: Any) -> str:
    """Return a swept value as the name of a folder: ``[32, 16]`` → ``32-16``, ``{order: 3}`` → ``order-3``."""
    if isinstance(value, Mapping):
        value = [part for pair in value.items() for part in pair]
    text = "-".join(map(str, value)) if isinstance(value, list) else str(value)
    return re.sub(r"[^\w.+-]+", "-", text)


def _check_sweep(experiment: Composed, sweep: Any) -> None:
    where = experiment.where(SWEEP, sweep)
    if (problem := name_problem(sweep, experiment.settings[SWEEP])) is not None:
        raise SeedscopeError(f"{where}: a sweep cannot be called {sweep!r}: {problem}")
    spec = experiment.settings[SWEEP][sweep]
    if not isinstance(spec, Mapping):
        raise SeedscopeError(f"{where} must be a block with key and values, not {spec!r}")
    crosses = crossings.is_crossing(spec)
    for key in spec:
        if key not in (known := crossings.KEYS if crosses else _KEYS):
            what = "a crossing of streams" if crosses else "a sweep"
            raise SeedscopeError(
                f"{experiment.where(SWEEP, sweep, key)}: {what} has no {key!r}; {did_you_mean(key, known)}"
            )
    if crosses:
        crossings.check_crossing(experiment, sweep)
        return
    for key in _KEYS:
        if key not in spec:
            raise SeedscopeError(f"{where}: {key!r} is missing")
    _check_values(experiment, sweep, spec["values"])


def _check_key(experiment: Composed, sweep: str) -> None:
    """Refuse a key that is no setting; of a sweep that is not asked for, the experiment may have lost the setting."""
    key = experiment.settings[SWEEP][sweep]["key"]
    where = experiment.where(SWEEP, sweep, "key", follow=False)
    known = [dotted(path) for path in leaves(experiment.settings) if len(path) > 1 and path[0] in _SWEPT]
    if key not in known:
        raise SeedscopeError(f"{where}: there is no setting {key!r}; {did_you_mean(key, known)}")


def _check_values(experiment: Composed, sweep: str, values: Any) -> None:
    where = experiment.where(SWEEP, sweep, "values", follow=False)
    if not isinstance(values, list) or len(values) < 2:
        raise SeedscopeError(f"{where} must be a list of two values or more, not {values!r}")
    folders: dict[str, Any] = {}
    for value in values:
        name = folder(value)
        if not re.search(r"\w", name):
            raise SeedscopeError(f"{where}: {value!r} gives a folder no name")
        if name.lower() in folders:
            raise SeedscopeError(f"{where}: {folders[name.lower()]!r} and {value!r} cannot be told apart")
        folders[name.lower()] = value


@contextmanager
def _named(condition: str) -> Iterator[None]:
    try:
        yield
    except SeedscopeError as error:
        raise SeedscopeError(f"{error} (sweep {condition})") from error
