"""Compose one experiment with Hydra, and remember which file decides each setting.

    conf/config.yaml ← conf/experiment/<name>.yaml ← params.yaml: seeds, drawn, engine, store and the experiment's block

A word where a group stands (``data: mnist``) selects the group's file; every other key of the block sets a value,
nested (``train: {epochs: 3}``) or dotted (``train.epochs: 3``). Given weights (``train: null``) are one replica, and
the seeds become ``[given]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from seedscope.files.errors import SeedscopeError, did_you_mean
from seedscope.files.names import GIVEN
from seedscope.settings.drawn import drawn
from seedscope.settings.names import name_problem
from seedscope.settings.said import (
    PARAMS,
    Composed,
    Said,
    block,
    dotted,
    leaves,
    merged,
    read_yaml,
    yaml_problem,
)

_DEFAULTS = "conf/config.yaml"
SHARED = ("seeds", "drawn", "engine", "store")
SWEEP = "sweep"
_COMPONENTS = ("data", "model", "weights", "train", "dump", "engine", "store")
_EITHER = ("train", "weights")  # a network is trained here, or has given weights
_SECTIONS = ("experiment", "seeds", "drawn", "readout", *_COMPONENTS, "lenses")


def written(name: str, params: Mapping[str, Any], project: Path) -> Composed:
    """Return what the files say about one experiment, one above the other; ``${…}`` is left as it stands."""
    turned = params.get(name) or {}
    groups = _groups(f"{name}.", turned, project)
    own = block(f"{name}.", {key: value for key, value in turned.items() if key not in groups})
    # An experiment that chooses an engine of its own takes nothing of the shared one.
    common = {key: params[key] for key in params if key.split(".")[0] in SHARED and key.split(".")[0] not in groups}
    shared_groups = _groups("", common, project)
    shared = block("", {key: value for key, value in common.items() if key not in shared_groups})
    below, chosen = _compose_files(name, {**shared_groups, **groups}, project)
    said = (
        Said(PARAMS, {**groups, **own}, prefix=f"{name}."),
        Said(PARAMS, {**shared_groups, **shared}),
        *_said_in_files(name, chosen, project),
    )
    return Composed(name, merged(below, merged(shared, own)), said)


def resolved(unresolved: Composed) -> Composed:
    """Return what was :func:`written` with references resolved.

    Every mistake in the files themselves is refused here. The block ``sweep`` is left out: it says how variants
    differ from the experiment, and changes nothing of the experiment.
    """
    own = {key: value for key, value in unresolved.settings.items() if key != SWEEP}
    settings = _resolved(replace(unresolved, settings=own))
    composed = replace(unresolved, settings=settings)
    _check_sections(composed)
    settings["lenses"] = {lens: spec for lens, spec in settings["lenses"].items() if spec is not None}
    if settings["train"] is None:
        settings["seeds"] = [GIVEN]
    settings["drawn"] = drawn(composed)
    return composed


def _is_group(key: str, project: Path) -> bool:
    return (project / "conf" / key).is_dir()


def _groups(prefix: str, block: Mapping[str, Any], project: Path) -> dict[str, str]:
    """Return the words of a block of ``params.yaml`` that stand where a group does: each selects a file."""
    groups = {key: block[key] for key in _COMPONENTS if isinstance(block.get(key), str) and _is_group(key, project)}
    for key, choice in groups.items():
        known = sorted(path.stem for path in (project / "conf" / key).glob("*.yaml"))
        if choice not in known:
            raise SeedscopeError(f"{PARAMS}: {prefix}{key}: there is no {choice!r}; {did_you_mean(choice, known)}")
    return groups


def _compose_files(name: str, groups: Mapping[str, str], project: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the files of ``conf/`` say together, unresolved, and which file each group took."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    own = f"conf/experiment/{name}.yaml"
    if not _is_global(project / own):
        raise SeedscopeError(f"{own}: its first line must be `# @package _global_`, or its keys go astray")
    try:
        with initialize_config_dir(str((project / "conf").resolve()), version_base="1.3"):
            choices = [f"experiment={name}", *(f"{key}={value}" for key, value in groups.items())]
            config = compose("config", overrides=choices, return_hydra_config=True)
        chosen = dict(config.hydra.runtime.choices)
        OmegaConf.set_struct(config, False)
        del config["hydra"]
        content: Any = OmegaConf.to_container(config, resolve=False)
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        file = str(mark.name).removeprefix(f"{project.resolve()}/") if mark is not None else "conf"
        raise SeedscopeError(f"{file}{yaml_problem(error)}") from error
    except UnicodeDecodeError as error:
        raise SeedscopeError(f"{own}: it, or a file of conf/ that it uses, is not UTF-8 text") from error
    except (HydraException, OmegaConfBaseException) as error:
        problem = " ".join(str(error).partition("Config search path")[0].split())
        raise SeedscopeError(f"{own} cannot be composed: {problem}") from error
    if content.get("experiment") in (None, "???"):
        raise SeedscopeError(f"{own} must say `experiment: {name}`")
    return content, chosen


def _is_global(file: Path) -> bool:
    """Return whether a file's keys are those of the whole experiment, not of the group that the file is in."""
    return re.search(rb"^#\s*@package\s+_global_\s*$", file.read_bytes(), re.MULTILINE) is not None


def _said_in_files(name: str, chosen: Mapping[str, Any], project: Path) -> Iterator[Said]:
    for file in (f"conf/experiment/{name}.yaml", _DEFAULTS):
        yield Said(file, read_yaml(file, project))
    groups = []
    for group, choice in chosen.items():
        folder, _, place = group.partition("@")
        file = f"conf/{folder}/{choice}.yaml"
        if folder != "experiment" and (project / file).exists():
            within = () if _is_global(project / file) else tuple((place or folder).split("."))
            groups.append(Said(file, read_yaml(file, project), place=within))
    yield from sorted(groups, key=lambda one: bool(one.place))  # config.yaml puts a global file above the others


def _resolved(composed: Composed) -> dict[str, Any]:
    """Return the settings with every ``${…}`` replaced by what it refers to."""
    from omegaconf import OmegaConf
    from omegaconf.errors import InterpolationKeyError, MissingMandatoryValue, OmegaConfBaseException

    _check_readout(composed)
    try:
        config = OmegaConf.create(
            {"weights": None, **composed.settings}
        )  # a group of which nothing is chosen has no key
        settings: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except (OmegaConfBaseException, RecursionError) as error:
        path = re.split(r"[.\[]", str(getattr(error, "full_key", "")).replace("]", ""))
        problem = str(error).splitlines()[0]
        if isinstance(error, MissingMandatoryValue):
            problem = "it was left unset (???)"
        elif isinstance(error, InterpolationKeyError) and (missing := re.search("'(.*)'", problem)) is not None:
            known = [dotted(leaf) for leaf in leaves(composed.settings)]
            problem = f"there is no setting {missing[1]!r}; {did_you_mean(missing[1], known)}"
        raise SeedscopeError(f"{composed.where(*path, follow=False)}: {problem}") from error
    return dict(settings)


def _check_readout(composed: Composed) -> None:
    """Refuse keys that nothing refers to: with a typo the default would stay in force, unnoticed."""
    known = [key for one in composed.said if one.file == _DEFAULTS for key in one.content.get("readout", {})]
    readout = composed.settings.get("readout", {})
    if not isinstance(readout, dict):
        raise SeedscopeError(f"{composed.where('readout')} must be a block of keys, not {readout!r}")
    for key in readout:
        if key not in known:
            raise SeedscopeError(f"{composed.where('readout', key)}: there is no {key!r}; {did_you_mean(key, known)}")


def _check_sections(composed: Composed) -> None:
    settings = composed.settings
    for key in settings:
        if key not in _SECTIONS:
            near = did_you_mean(key, (*_SECTIONS, SWEEP))
            raise SeedscopeError(f"{composed.where(key)}: there is no section {key!r}; {near}")
    for key in ("experiment", "seeds", "drawn", *_COMPONENTS, "lenses"):
        if key not in settings:
            raise SeedscopeError(f"{_DEFAULTS}: the section {key!r} is missing")
    if settings["experiment"] != composed.name:
        raise SeedscopeError(
            f"{composed.where('experiment')}: {settings['experiment']!r} must be its file's name, {composed.name!r}"
        )
    seeds = settings["seeds"]
    whole = isinstance(seeds, list) and all(type(seed) is int and 0 <= seed < 2**63 for seed in seeds)
    if not whole or not seeds:
        raise SeedscopeError(f"{composed.where('seeds')} must be a list of whole numbers from 0, not {seeds!r}")
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise SeedscopeError(f"{composed.where('seeds')}: seed {twice[0]} stands there twice")
    if not isinstance(settings["lenses"], dict):
        raise SeedscopeError(f"{composed.where('lenses')} must be a block of lenses, not {settings['lenses']!r}")
    lenses = list(settings["lenses"])
    for index, lens in enumerate(lenses):
        if (problem := name_problem(lens, lenses[:index])) is not None:
            raise SeedscopeError(f"{composed.where('lenses', lens)}: a lens cannot be called {lens!r}: {problem}")
    if settings["train"] is None and settings["weights"] is None:
        raise SeedscopeError(
            f"{composed.where('train')}: a network that is not trained here needs `weights`: name a file"
        )
    if settings["train"] is not None and settings["weights"] is not None:
        raise SeedscopeError(
            f"{composed.where('weights')}: a network with given weights is not trained here: set `train: null`"
        )
    for section in _COMPONENTS:
        if settings[section] is not None or section not in _EITHER:
            _check_component(composed, section)
    for lens, spec in settings["lenses"].items():
        if spec is not None:
            _check_component(composed, "lenses", lens)


def _check_component(composed: Composed, *place: str) -> None:
    spec = composed.at(*place)
    if not isinstance(spec, dict) or not isinstance(spec.get("_target_"), str) or "." not in spec["_target_"]:
        others = [key for key in composed.at(*place[:-1]) if key != place[-1]]
        hint = f"; {did_you_mean(place[-1], others)}" if len(place) > 1 else ""
        raise SeedscopeError(
            f"{composed.where(*place)} must be a block with a _target_ such as package.module.Class{hint}"
        )
