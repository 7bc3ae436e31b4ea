"""Compose every experiment of ``params.yaml`` with Hydra, and refuse what is wrong before anything runs.

    conf/config.yaml ← conf/experiment/<name>.yaml ← params.yaml: seeds, engine and the experiment's block
    → runs/configs/<name>.yaml

A word where a group stands (``data: mnist``) selects the group's file; every other key of the block sets a value,
nested (``train: {epochs: 3}``) or dotted (``train.epochs: 3``). What DVC cannot see is written beside the settings
under ``provenance``: the SHA-256 of every external input and of the code of every ``_target_`` that is not part
of this package.
"""

from __future__ import annotations

import re
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
_DEFAULTS = "conf/config.yaml"
_SHARED = ("seeds", "engine")
_COMPONENTS = ("data", "model", "train", "dump", "engine")
_PROVENANCE = ("data", "model", "train", "dump", "lenses")
_SECTIONS = ("experiment", "seeds", "readout", *_COMPONENTS, "lenses")
_ABSENT = object()


@dataclass(frozen=True)
class Layer:
    """What one file says about an experiment.

    Attributes:
        file: its name, seen from the project's folder.
        content: keys and values.
        prefix: what stands before the content's keys in the file, such as ``squares.``.
        place: where the content belongs in the experiment's settings, as a path of keys.
    """

    file: str
    content: Mapping[str, Any]
    prefix: str = ""
    place: tuple[str, ...] = ()

    def get(self, *path: str) -> Any:
        """Return what the file sets at ``path`` of the settings, or ``_ABSENT``."""
        value: Any = self.content if path[: len(self.place)] == self.place else _ABSENT
        for key in path[len(self.place) :]:
            value = value.get(key, _ABSENT) if isinstance(value, Mapping) else _ABSENT
        return value


@dataclass(frozen=True)
class Composed:
    """One experiment's settings, and where each came from.

    Attributes:
        name: the experiment.
        settings: resolved, by section, ``provenance`` included.
        layers: what each file says, from the one that decides to the one of the defaults.
    """

    name: str
    settings: dict[str, Any]
    layers: tuple[Layer, ...]

    def at(self, *path: str) -> Any:
        """Return the settings at ``path``."""
        value: Any = self.settings
        for key in path:
            value = value[key]
        return value

    def where(self, *path: str, follow: bool = True) -> str:
        """Return ``file: key`` of the place that decides the setting at ``path``.

        A place that only refers to another setting, ``${readout.head}``, leaves it to that one to decide, unless
        ``follow`` is false.
        """
        for layer in self.layers:
            value = layer.get(*path)
            if value is _ABSENT:
                continue
            other = re.fullmatch(r"\$\{([\w.]+)\}", value) if follow and isinstance(value, str) else None
            if other is not None:
                return self.where(*other[1].split("."))
            return f"{layer.file}: {layer.prefix}{_dotted(path[len(layer.place) :])}"
        return f"conf/experiment/{self.name}.yaml: {_dotted(path)}"


def compose_all(project: Path) -> None:
    """Compose and validate every experiment, then write all of them; where one is wrong, write none.

    Raises:
        SeedscopeError: the first mistake found, with its file, key and the nearest valid name.
    """
    params = _read_yaml(_PARAMS, project)
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


def _read_yaml(file: str, project: Path) -> dict[str, Any]:
    """Read a file as Hydra reads those of ``conf/``: ``1e-3`` is a number, and no key may stand there twice."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        config = OmegaConf.create((project / file).read_text(encoding="utf-8"))
        content: Any = OmegaConf.to_container(config, resolve=False)
    except OSError as error:
        raise SeedscopeError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SeedscopeError(f"{file} cannot be read: it is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise SeedscopeError(f"{file}{_yaml_problem(error)}") from error
    except OmegaConfBaseException as error:
        raise SeedscopeError(f"{file}: {error.full_key}: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise SeedscopeError(f"{file} must hold keys and values, not a {type(content).__name__}")
    return content


def _yaml_problem(error: yaml.YAMLError) -> str:
    """Return what continues a sentence that began with the file's name."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f", line {error.problem_mark.line + 1}: not valid YAML: {error.problem}"
    return f": not valid YAML: {' '.join(str(error).split())}"


def _experiments(params: Mapping[str, Any], project: Path) -> list[str]:
    top = ("experiments", *_SHARED)
    known = sorted(path.stem for path in (project / "conf" / "experiment").glob("*.yaml"))
    for name in known:
        if name in (*top, "configs"):  # a key of params.yaml; a folder beside those of the experiments
            raise SeedscopeError(f"conf/experiment/{name}.yaml: an experiment cannot be called {name!r}")
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
    written = params.get(name) or {}
    groups = {key: written[key] for key in _COMPONENTS if isinstance(written.get(key), str) and _is_group(key, project)}
    _check_groups(name, groups, project)
    block = _block(name, {key: value for key, value in written.items() if key not in groups})
    shared = {key: params[key] for key in _SHARED if key in params}
    below, chosen = _compose_files(name, groups, project)
    layers = (
        Layer(_PARAMS, {**groups, **block}, prefix=f"{name}."),
        Layer(_PARAMS, shared),
        *_file_layers(name, chosen, project),
    )
    settings = _resolved(Composed(name, _merged(below, _merged(shared, block)), layers))
    composed = Composed(name, settings, layers)
    _check_sections(composed)
    settings["lenses"] = {lens: spec for lens, spec in settings["lenses"].items() if spec is not None}
    settings["provenance"] = {section: _provenance(composed, section, project) for section in _PROVENANCE}
    return composed


def _block(name: str, block: Mapping[Any, Any]) -> dict[str, Any]:
    """Return an experiment's block of ``params.yaml`` with its dotted keys as nested ones.

    Only the block's own keys are taken apart: below them a dot may be part of a name (the layer ``features.0``).
    """
    nested: dict[str, Any] = {}
    for key, value in block.items():
        bare = str(key).lstrip("+~")
        if bare != str(key):
            raise SeedscopeError(f"{_PARAMS}: {name}.{key}: write {bare!r}; a key needs no sign here")
        for part in reversed(bare.split(".")):
            value = {part: value}
        for path in _leaves(value):
            said = [Layer(_PARAMS, nested).get(*path[:length]) for length in range(1, len(path) + 1)]
            if said[-1] is not _ABSENT or any(not isinstance(one, Mapping) and one is not _ABSENT for one in said):
                raise SeedscopeError(f"{_PARAMS}: {name}.{_dotted(path)} stands there twice")
        nested = _merged(nested, value)
    return nested


def _leaves(block: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, value in block.items():
        if isinstance(value, Mapping) and value:
            yield from ((key, *path) for path in _leaves(value))
        else:
            yield (key,)


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(map(str, path))


def _merged(below: Any, above: Any) -> Any:
    """Return ``below`` as ``above`` changes it: a mapping is merged key by key, any other value replaces."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}


def _is_group(key: str, project: Path) -> bool:
    return (project / "conf" / key).is_dir()


def _check_groups(name: str, groups: Mapping[str, str], project: Path) -> None:
    for key, choice in groups.items():
        known = sorted(path.stem for path in (project / "conf" / key).glob("*.yaml"))
        if choice not in known:
            raise SeedscopeError(f"{_PARAMS}: {name}.{key}: there is no {choice!r}; {did_you_mean(choice, known)}")


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
        raise SeedscopeError(f"{file}{_yaml_problem(error)}") from error
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


def _file_layers(name: str, chosen: Mapping[str, Any], project: Path) -> Iterator[Layer]:
    for file in (f"conf/experiment/{name}.yaml", _DEFAULTS):
        yield Layer(file, _read_yaml(file, project))
    groups = []
    for group, choice in chosen.items():
        folder, _, place = group.partition("@")
        file = f"conf/{folder}/{choice}.yaml"
        if folder != "experiment" and (project / file).exists():
            within = () if _is_global(project / file) else tuple((place or folder).split("."))
            groups.append(Layer(file, _read_yaml(file, project), place=within))
    yield from sorted(groups, key=lambda layer: bool(layer.place))  # config.yaml puts a global file above the others


def _resolved(composed: Composed) -> dict[str, Any]:
    """Return the settings with every ``${…}`` replaced by what it refers to."""
    from omegaconf import OmegaConf
    from omegaconf.errors import InterpolationKeyError, MissingMandatoryValue, OmegaConfBaseException

    _check_readout(composed)
    try:
        config = OmegaConf.create(composed.settings)
        settings: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except (OmegaConfBaseException, RecursionError) as error:
        path = re.split(r"[.\[]", str(getattr(error, "full_key", "")).replace("]", ""))
        problem = str(error).splitlines()[0]
        if isinstance(error, MissingMandatoryValue):
            problem = "it was left unset (???)"
        elif isinstance(error, InterpolationKeyError) and (missing := re.search("'(.*)'", problem)) is not None:
            known = [_dotted(leaf) for leaf in _leaves(composed.settings)]
            problem = f"there is no setting {missing[1]!r}; {did_you_mean(missing[1], known)}"
        raise SeedscopeError(f"{composed.where(*path, follow=False)}: {problem}") from error
    return dict(settings)


def _check_readout(composed: Composed) -> None:
    """Refuse keys that nothing refers to: with a typo the default would stay in force, unnoticed."""
    known = [key for layer in composed.layers if layer.file == _DEFAULTS for key in layer.content.get("readout", {})]
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
            raise SeedscopeError(f"{composed.where(key)}: there is no section {key!r}; {did_you_mean(key, _SECTIONS)}")
    for key in ("experiment", "seeds", *_COMPONENTS, "lenses"):
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
    for section in _COMPONENTS:
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


def _provenance(composed: Composed, section: str, project: Path) -> dict[str, str]:
    """Return the digests of what the section reads from outside the package: code, and input files."""
    places = [("lenses", lens) for lens in composed.settings["lenses"]] if section == "lenses" else [(section,)]
    found: dict[str, str] = {}
    for place in places:
        try:
            found |= source_digests(composed.at(*place)["_target_"], project.resolve())
        except SeedscopeError as error:
            raise SeedscopeError(f"{composed.where(*place, '_target_')}: {error}") from error
    if section == "data":
        from seedscope.validate import validate_settings

        validate_settings(composed, "data")
        try:
            found |= {str(path): digest(Path(path)) for path in build(composed.settings["data"]).inputs}
        except SeedscopeError as error:
            raise SeedscopeError(f"{composed.where('data')}: {error}") from error
    return found
