"""Compose every experiment of ``params.yaml`` with Hydra, and refuse what is wrong before anything runs.

    conf/config.yaml ← conf/experiment/<name>.yaml ← params.yaml: seeds, engine and the experiment's block
    → runs/configs/<name>.yaml

A word where a group stands (``data: mnist``) selects the group's file; every other key of the block sets a value,
nested (``train: {epochs: 3}``) or dotted (``train.epochs: 3``). What DVC cannot see is written beside the settings
under ``provenance``: the SHA-256 of every external input and of the source of every ``_target_`` that is not part
of this package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from seedscope.artifacts import Artifacts, digest, digest_of, state_folder, write_text
from seedscope.components import build
from seedscope.errors import SeedscopeError, did_you_mean
from seedscope.sources import PACKAGE_ROOT, source_digests

_PARAMS = "params.yaml"
_COMPONENTS = ("data", "model", "train", "dump", "engine")
_PROVENANCE = ("data", "model", "train", "dump", "lenses")
_SECTIONS = ("experiment", "seeds", "readout", *_COMPONENTS, "lenses")


@dataclass(frozen=True)
class Composed:
    """One experiment's settings, and where each came from.

    Attributes:
        name: the experiment.
        settings: resolved, by section, ``provenance`` included.
        files: configuration files from the one that decides to the one of the defaults, each with the place of its
            content (a path of keys) in the settings.
    """

    name: str
    settings: dict[str, Any]
    files: tuple[tuple[str, tuple[str, ...], Mapping[str, Any]], ...]

    def where(self, *path: str) -> str:
        """Return ``file: key`` of the file that decides the setting at ``path``."""
        for file, place, content in self.files:
            inner = path[len(place) :] if path[: len(place)] == place else None
            if inner is not None and _holds(content, inner):
                prefix = f"{self.name}." if file == _PARAMS and path[0] not in ("seeds", "engine") else ""
                return f"{file}: {prefix}{'.'.join(inner if file != _PARAMS else path)}"
        return f"conf/experiment/{self.name}.yaml: {'.'.join(path)}"


def compose_all(project: Path) -> None:
    """Compose and validate every experiment, then write all of them; where one is wrong, write none.

    Raises:
        SeedscopeError: the first mistake found, with its file, key and the nearest valid name.
    """
    params = _read_yaml(project / _PARAMS)
    names = _experiments(params, project)
    composed = [_compose(name, params, project) for name in names]
    # Looking at a network means importing it (2 s); what was found right stays right until it changes.
    settings = {one.name: one.settings for one in composed}
    package = {str(p.relative_to(PACKAGE_ROOT)): digest(p) for p in sorted(PACKAGE_ROOT.rglob("seedscope/**/*.py"))}
    key = digest_of({"settings": settings, "package": package, "torch": version("torch")})
    checked = state_folder() / "checked" / key
    if not checked.exists():
        from seedscope.validate import validate

        for one in composed:
            validate(one)
        write_text(checked, "")
    for one in composed:
        text = yaml.safe_dump(one.settings, sort_keys=False, allow_unicode=True)
        write_text(Artifacts(one.name, project).config, text)
    for stale in (project / "runs" / "configs").glob("*.yaml"):
        if stale.stem not in names:
            stale.unlink()


def _holds(content: Any, path: tuple[str, ...]) -> bool:
    for index, key in enumerate(path):
        if not isinstance(content, Mapping):
            return False
        dotted = ".".join(path[index:])
        if dotted in content:
            return True
        if key not in content:
            return False
        content = content[key]
    return True


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SeedscopeError(f"{path.name} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SeedscopeError(f"{path.name} is not valid YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SeedscopeError(f"{path.name} must hold keys and values, not {type(content).__name__}")
    return content


def _experiments(params: Mapping[str, Any], project: Path) -> list[str]:
    known = sorted(path.stem for path in (project / "conf" / "experiment").glob("*.yaml"))
    top = ("experiments", "seeds", "engine")
    for key in params:
        if key not in top and key not in known:
            raise SeedscopeError(
                f"{_PARAMS}: {key!r} is neither a key nor an experiment; {did_you_mean(key, [*top, *known])}"
            )
    names = params.get("experiments")
    if not isinstance(names, list) or not names:
        raise SeedscopeError(f"{_PARAMS}: experiments must be a list of names; there are: {', '.join(known)}")
    for index, name in enumerate(names):
        if name not in known:
            raise SeedscopeError(f"{_PARAMS}: experiments: there is no {name!r}; {did_you_mean(name, known)}")
        if name in names[:index]:
            raise SeedscopeError(f"{_PARAMS}: experiments: {name!r} stands there twice")
    for name in known:
        if not isinstance(params.get(name) or {}, dict):
            raise SeedscopeError(f"{_PARAMS}: {name} must be a block of keys, not {params[name]!r}")
    return list(names)


def _compose(name: str, params: Mapping[str, Any], project: Path) -> Composed:
    """Compose one experiment and add its provenance; every mistake of composition itself is refused here."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    block = dict(params.get(name) or {})
    for key in block:
        if str(key).lstrip("+~") != str(key):
            raise SeedscopeError(f"{_PARAMS}: {name}.{key}: write {str(key).lstrip('+~')!r}; a key needs no sign here")
    groups = {key: block.pop(key) for key in list(block) if isinstance(block[key], str) and _is_group(key, project)}
    _check_groups(name, groups, project)
    top = {key: params[key] for key in ("seeds", "engine") if key in params}
    try:
        with initialize_config_dir(str((project / "conf").resolve()), version_base="1.3"):
            choices = [f"experiment={name}", *(f"{key}={value}" for key, value in groups.items())]
            config = compose("config", overrides=choices, return_hydra_config=True)
        chosen = dict(config.hydra.runtime.choices)
        OmegaConf.set_struct(config, False)
        del config["hydra"]
        for key, value in _settings({**top, **block}):
            OmegaConf.update(config, key, value, merge=True, force_add=True)
        settings: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise SeedscopeError(f"experiment {name!r} cannot be composed: {' '.join(str(error).split())}") from error
    composed = Composed(name, settings, tuple(_files(name, params, chosen, project)))
    _check_sections(composed)
    settings["lenses"] = {lens: spec for lens, spec in settings["lenses"].items() if spec is not None}
    settings["provenance"] = {section: _provenance(composed, section, project) for section in _PROVENANCE}
    return composed


def _is_group(key: str, project: Path) -> bool:
    return (project / "conf" / key).is_dir()


def _check_groups(name: str, groups: Mapping[str, str], project: Path) -> None:
    for key, choice in groups.items():
        known = sorted(path.stem for path in (project / "conf" / key).glob("*.yaml"))
        if choice not in known:
            raise SeedscopeError(f"{_PARAMS}: {name}.{key}: there is no {choice!r}; {did_you_mean(choice, known)}")


def _settings(block: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and values; a mapping is merged key by key, any other value replaces."""
    for key, value in block.items():
        if isinstance(value, dict) and value:
            yield from ((f"{key}.{inner}", content) for inner, content in _settings(value))
        else:
            yield str(key), value


def _files(
    name: str, params: Mapping[str, Any], chosen: Mapping[str, Any], project: Path
) -> Iterator[tuple[str, tuple[str, ...], Mapping[str, Any]]]:
    block = params.get(name) or {}
    yield _PARAMS, (), {**{key: params[key] for key in ("seeds", "engine") if key in params}, **block}
    yield f"conf/experiment/{name}.yaml", (), _read_yaml(project / "conf" / "experiment" / f"{name}.yaml")
    for group, choice in chosen.items():
        folder, _, place = group.partition("@")
        path = project / "conf" / folder / f"{choice}.yaml"
        if folder != "experiment" and path.exists():
            yield f"conf/{folder}/{choice}.yaml", tuple((place or folder).split(".")), _read_yaml(path)
    yield "conf/config.yaml", (), _read_yaml(project / "conf" / "config.yaml")


def _check_sections(composed: Composed) -> None:
    settings = composed.settings
    for key in settings:
        if key not in _SECTIONS:
            raise SeedscopeError(f"{composed.where(key)}: there is no section {key!r}; {did_you_mean(key, _SECTIONS)}")
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
    for place in [(section,) for section in _COMPONENTS] + [("lenses", lens) for lens in settings["lenses"]]:
        spec: Any = settings
        for key in place:
            spec = spec[key]
        if len(place) == 2 and spec is None:
            continue
        if not isinstance(spec, dict) or not isinstance(spec.get("_target_"), str) or "." not in spec["_target_"]:
            raise SeedscopeError(
                f"{composed.where(*place)} must be a block with a _target_ such as package.module.Class"
            )


def _provenance(composed: Composed, section: str, project: Path) -> dict[str, str]:
    """Return the digests of what the section reads from outside the package: sources, and input files."""
    spec = composed.settings[section]
    specs = list(spec.values()) if section == "lenses" else [spec]
    found: dict[str, str] = {}
    try:
        for one in specs:
            found |= source_digests(one["_target_"], project.resolve())
    except SeedscopeError as error:
        raise SeedscopeError(f"{composed.where(section)}: {error}") from error
    if section == "data":
        from seedscope.validate import validate_settings

        validate_settings(composed, "data")
        for path in build(spec).inputs:
            found[str(path)] = digest(Path(path))
    return found
