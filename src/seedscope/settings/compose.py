"""Compose every experiment and sweep of ``params.yaml``, and refuse what is wrong before anything runs.

    params.yaml: experiments  →  runs/configs/<experiment>.json           (:mod:`seedscope.settings.one_experiment`)
    params.yaml: sweeps       →  runs/configs/<experiment>-<sweep>.json   (:mod:`seedscope.settings.sweeps`)
    both lists                →  runs/configs/project.json

Beside the settings each file says what DVC cannot see: the content of files from outside (``inputs``), the code and
the libraries behind every stage (``code``), and for each stage one number that DVC hashes it by (``stages``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedscope.files.digests import digest, digest_of
from seedscope.files.errors import SeedscopeError, did_you_mean
from seedscope.files.paths import PACKAGE_ROOT, Artifacts, SweepArtifacts, configs, project_config, state_folder
from seedscope.files.writing import write_text
from seedscope.settings.closure import Codebase
from seedscope.settings.code import code_of, project_code, sweep_code
from seedscope.settings.inputs import identified, inputs
from seedscope.settings.kept import KeptPlan, Plan
from seedscope.settings.libraries import installed_version
from seedscope.settings.names import name_problem
from seedscope.settings.one_experiment import SHARED, resolved, written
from seedscope.settings.said import PARAMS, Composed, read_yaml
from seedscope.settings.stages import stage_numbers
from seedscope.settings.sweeps import ComposedSweep, check_sweeps, compose_sweep, declared_sweeps, folder

_LISTS = ("experiments", "sweeps")
_TOP = (*_LISTS, *SHARED)
Content = dict[str, Any]


def compose_all(project: Path) -> None:
    """Compose and validate every experiment and sweep, then write all of them; where one is wrong, write none.

    Raises:
        SeedscopeError: the first mistake found, with its file, key and the nearest valid name.
    """
    codebase = Codebase.at(project.resolve(), state_folder())
    kept = KeptPlan.at(state_folder(), project, codebase)
    plan = kept.read()
    try:
        files = {} if plan is None else _checked(plan, project, codebase)
    except SeedscopeError:  # what is composed anew knows which file decides a setting, for the sentence
        plan = None
    if plan is None:
        plan = _composed(project)
        files = _checked(plan, project, codebase)
        kept.write(plan)
    for path, content in files.items():
        write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    for stale in configs(project).glob("*.*"):
        if stale not in files and stale.suffix != ".tmp":
            stale.unlink()
    codebase.keep()


def _checked(plan: Plan, project: Path, codebase: Codebase) -> dict[Path, Content]:
    """Return what each file of ``runs/configs/`` is to hold; a setting that cannot work is refused."""
    experiments = [identified(one) for one in plan.experiments]
    files = {Artifacts(one.name, project).config: _experiment(one, codebase) for one in experiments}
    files |= {SweepArtifacts(one.name, project).config: _sweep(one, codebase) for one in plan.sweeps}
    files[project_config(project)] = _numbered(
        {
            "experiments": [one.name for one in experiments],
            "sweeps": [one.name for one in plan.sweeps],
            "code": project_code(codebase),
        }
    )
    _validate(experiments, plan.sweeps, files, codebase)
    return files


def _composed(project: Path) -> Plan:
    """Return the experiments and the sweeps that ``params.yaml`` asks for."""
    params = read_yaml(PARAMS, project)
    known = _experiments(params, project)
    unresolved = [written(name, params, project) for name in _listed(params, "experiments", known)]
    experiments = [resolved(one) for one in unresolved]
    for one in unresolved:
        check_sweeps(one)
    sweeps = []
    if params["sweeps"]:
        declared = declared_sweeps(known, params, project)
        sweeps = [compose_sweep(name, *declared[name], params, project) for name in _listed(params, "sweeps", declared)]
    return Plan(experiments, sweeps)


def _experiment(composed: Composed, codebase: Codebase) -> Content:
    return _numbered({**composed.settings, "inputs": inputs(composed), "code": code_of(composed, codebase)})


def _sweep(sweep: ComposedSweep, codebase: Codebase) -> Content:
    """Return what a stage needs to know of a sweep; the engine stands apart, for it changes no result."""
    settings = sweep.base.settings
    variants = []
    for value, variant in zip(sweep.values, sweep.variants, strict=True):
        with sweep.named(value):
            own = {key: part for key, part in variant.settings.items() if key not in ("drawn", "engine", "store")}
            own |= {"inputs": inputs(variant), "code": code_of(variant, codebase, ["replica"])}
            variants.append({"name": folder(value), "value": value, "settings": own})
    return _numbered(
        {
            "experiment": sweep.base.name,
            "key": sweep.key,
            "base": sweep.base_value,
            "seeds": sweep.seeds,
            "engine": settings["engine"],
            "variants": variants,
            "code": sweep_code(sweep.variants, codebase),
        }
    )


def _numbered(content: Content) -> Content:
    return {**content, "stages": stage_numbers(content)}


def _experiments(params: Mapping[str, Any], project: Path) -> list[str]:
    """Return the names of all experiments that there are, after a look at the shape of ``params.yaml``."""
    known = sorted(path.stem for path in (project / "conf" / "experiment").glob("*.yaml"))
    for name in known:
        if (problem := name_problem(name, known)) is not None:
            raise SeedscopeError(f"conf/experiment/{name}.yaml: an experiment cannot be called {name!r}: {problem}")
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


def _validate(
    experiments: Sequence[Composed], sweeps: Sequence[ComposedSweep], files: Mapping[Path, Content], codebase: Codebase
) -> None:
    """Check all settings against what they configure.

    Looking at a network means importing it (2 s): what was found right stays right until it changes.
    """
    package = {str(p.relative_to(PACKAGE_ROOT)): digest(p) for p in sorted(PACKAGE_ROOT.rglob("seedscope/**/*.py"))}
    content = {"all": [*files.values()], "package": package, "torch": installed_version("torch")}
    checked = state_folder() / "checked" / digest_of(content)
    if checked.exists():
        return
    from seedscope.settings.purposes import check_purposes
    from seedscope.settings.validate import validate

    for one in experiments:
        validate(one)
        check_purposes(one, codebase)
    for sweep in sweeps:
        for value, variant in zip(sweep.values, sweep.variants, strict=True):
            with sweep.named(value):
                validate(variant)
                check_purposes(variant, codebase)
    write_text(checked, "")
