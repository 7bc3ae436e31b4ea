"""Components: data sets, networks, training and lenses, named in the configuration by ``_target_``.

{_target_: package.module.Class, option: value, …}   →   package.module.Class(option=value, …)
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from seedscope.errors import SeedscopeError


def find(target: str) -> Any:
    """Return the class or function that a ``_target_`` names."""
    module, _, name = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SeedscopeError(f"_target_ {target!r} cannot be imported: {error}") from error


def build(spec: Mapping[str, Any]) -> Any:
    """Return the component that ``spec`` describes; what it refuses becomes one sentence."""
    settings = {key: value for key, value in spec.items() if key != "_target_"}
    try:
        return find(spec["_target_"])(**settings)
    except (TypeError, ValueError) as error:
        raise SeedscopeError(f"{spec['_target_']}: {error}") from error
