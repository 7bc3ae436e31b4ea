"""Compose every experiment and sweep of ``params.yaml``, and refuse what is wrong before anything runs.

params.yaml: experiments  →  runs/configs/<experiment>.yaml           (see :mod:`seedscope.settings.written`)
params.yaml: sweeps       →  runs/configs/<experiment>-<sweep>.yaml   (see :mod:`seedscope.settings.variants`)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from seedscope.files.digests import digest, digest_of
from seedscope.files.errors import SeedscopeError, did_you_mean
from seedscope.files.paths import Artifacts, SweepArtifacts, state_folder
from seedscope.files.writing import write_text
from seedscope.settings.code import PACKAGE_ROOT
from seedscope.settings.variants import Variant, check_sweeps, compose_sweep, declared_sweeps
from seedscope.settings.written import PARAMS, SHARED, Composed, finished, read_yaml, written

_LISTS = ("experiments", "sweeps")
_TOP = (*_LISTS, *SHARED)


def compose_all(project: Path) -> None:
    """Compose and validate every experiment and sweep, then write all of them; where one is wrong, write none.

    Raises:
        SeedscopeError: the first mistake found, with its file, key and the nearest valid name.
    """
    params = read_yaml(PARAMS, project)
    known = _experiments(params, project)
    unresolved = {name: written(name, params, project) for name in _listed(params, "experiments", known)}
    composed = {name: finished(one, project) for name, one in unresolved.items()}
    for one in unresolved.values():
        check_sweeps(one)
    sweeps = []
    if params["sweeps"]:
        declared = declared_sweeps(known, params, project)
        sweeps = [compose_sweep(name, *declared[name], params, project) for name in _listed(params, "sweeps", declared)]
    _validate([*composed.values()], [variant for sweep in sweeps for variant in sweep.variants])
    for name, one in composed.items():
        _write(Artifacts(name, project).config, one.settings)
    for sweep in sweeps:
        _write(SweepArtifacts(sweep.name, project).config, sweep.content())
    kept = {*composed, *(sweep.name for sweep in sweeps)}
    for stale in (project / "runs" / "configs").glob("*.yaml"):
        if stale.stem not in kept:
            stale.unlink()


def _experiments(params: Mapping[str, Any], project: Path) -> list[str]:
    """Return the names of all experiments that there are, after a look at the shape of ``params.yaml``."""
    known = sorted(path.stem for path in (project / "conf" / "experiment").glob("*.yaml"))
    for name in known:
        if name in (*_TOP, "configs"):  # a key of params.yaml; a folder beside those of the experiments
            raise SeedscopeError(f"conf/experiment/{name}.yaml: an experiment cannot be called {name!r}")
    for key in params:
        if key not in _TOP and key not in known and not str(key).startswith("engine."):
            raise SeedscopeError(
                f"{PARAMS}: {key!r} is neither a key nor an experiment; {did_you_mean(key, [*_TOP, *known])}"
            )
    if not isinstance(params.get("experiments"), list) or not params["experiments"]:
        raise SeedscopeError(f"{PARAMS}: experiments must be a list of names; there are: {', '.join(known)}")
    if not isinstance(params.get("sweeps"), list):
        raise SeedscopeError(f"{PARAMS}: sweeps must be a list of names, <experiment>-<sweep>; [] for none")
    for name in known:
        if not isinstance(params.get(name) or {}, dict):
            raise SeedscopeError(f"{PARAMS}: {name} must be a block of keys, not {params[name]!r}")
    return known


def _listed(params: Mapping[str, Any], key: str, known: Iterable[str]) -> list[str]:
    """Return the names that stand in one of the lists; each must be known, and stand there once."""
    names, known = params[key], list(known)
    for index, name in enumerate(names):
        if name not in known:
            raise SeedscopeError(f"{PARAMS}: {key}: there is no {name!r}; {did_you_mean(name, known)}")
        if name in names[:index]:
            raise SeedscopeError(f"{PARAMS}: {key}: {name!r} stands there twice")
    return list(names)


def _validate(experiments: list[Composed], variants: list[Variant]) -> None:
    """Check all settings against what they configure.

    Looking at a network means importing it (2 s): what was found right stays right until it changes.
    """
    settings = [one.settings for one in (*experiments, *(variant.composed for variant in variants))]
    package = {str(p.relative_to(PACKAGE_ROOT)): digest(p) for p in sorted(PACKAGE_ROOT.rglob("seedscope/**/*.py"))}
    checked = state_folder() / "checked" / digest_of({"all": settings, "package": package, "torch": version("torch")})
    if checked.exists():
        return
    from seedscope.settings.validate import validate

    for one in experiments:
        validate(one)
    for variant in variants:
        with variant.named():
            validate(variant.composed)
    write_text(checked, "")


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True))
