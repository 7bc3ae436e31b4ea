"""What files say about an experiment, and what comes of it: its settings, and the file that decides each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seedscope.files.errors import SeedscopeError

PARAMS = "params.yaml"
ABSENT = object()


@dataclass(frozen=True)
class Said:
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
        """Return what the file sets at ``path`` of the settings, or ``ABSENT``."""
        value: Any = self.content if path[: len(self.place)] == self.place else ABSENT
        for key in path[len(self.place) :]:
            value = value.get(key, ABSENT) if isinstance(value, Mapping) else ABSENT
        return value


@dataclass(frozen=True)
class Composed:
    """One experiment's settings, and where each came from.

    Attributes:
        name: the experiment.
        settings: by section.
        said: what each file says, from the one that decides to the one of the defaults.
    """

    name: str
    settings: dict[str, Any]
    said: tuple[Said, ...]

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
        for one in self.said:
            value = one.get(*path)
            if value is ABSENT:
                continue
            other = re.fullmatch(r"\$\{([\w.]+)\}", value) if follow and isinstance(value, str) else None
            if other is not None:
                return self.where(*other[1].split("."))
            key = f"{one.prefix}{dotted(path[len(one.place) :])}"
            return f"{one.file}: {key}" if key else one.file  # a file that is about nothing else
        return f"conf/experiment/{self.name}.yaml: {dotted(path)}"


def read_yaml(file: str, project: Path) -> dict[str, Any]:
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
        raise SeedscopeError(f"{file}{yaml_problem(error)}") from error
    except OmegaConfBaseException as error:
        raise SeedscopeError(f"{file}: {error.full_key}: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise SeedscopeError(f"{file} must hold keys and values, not a {type(content).__name__}")
    return content


def yaml_problem(error: yaml.YAMLError) -> str:
    """Return what continues a sentence that began with the file's name."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f", line {error.problem_mark.line + 1}: not valid YAML: {error.problem}"
    return f": not valid YAML: {' '.join(str(error).split())}"


def block(prefix: str, keys: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a block of ``params.yaml`` with its dotted keys as nested ones; ``prefix`` stands before them there.

    Only the block's own keys are taken apart: below them a dot may be part of a name (the layer ``features.0``).
    """
    nested: dict[str, Any] = {}
    for key, value in keys.items():
        bare = str(key).lstrip("+~")
        if bare != str(key):
            raise SeedscopeError(f"{PARAMS}: {prefix}{key}: write {bare!r}; a key needs no sign here")
        for part in reversed(bare.split(".")):
            value = {part: value}
        for path in leaves(value):
            said = [Said(PARAMS, nested).get(*path[:length]) for length in range(1, len(path) + 1)]
            if said[-1] is not ABSENT or any(not isinstance(one, Mapping) and one is not ABSENT for one in said):
                raise SeedscopeError(f"{PARAMS}: {prefix}{dotted(path)} stands there twice")
        nested = merged(nested, value)
    return nested


def leaves(keys: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the path of keys to every value that is not a block itself."""
    for key, value in keys.items():
        if isinstance(value, Mapping) and value:
            yield from ((key, *path) for path in leaves(value))
        else:
            yield (key,)


def dotted(path: tuple[str, ...]) -> str:
    """Return a path of keys as it is written: ``train.epochs``."""
    return ".".join(map(str, path))


def merged(below: Any, above: Any) -> Any:
    """Return ``below`` as ``above`` changes it: a mapping is merged key by key, any other value replaces."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}
