"""Artifacts read back; one that cannot be read is refused in one sentence."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from seedscope.files.errors import SeedscopeError


def read_json(path: Path) -> Any:
    """Read JSON, or say in one sentence what is wrong with the file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds keys and values; one of another shape is refused."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise unreadable(path, ValueError(f"it holds a {type(content).__name__}, not keys and values"))
    return content


def read_identity(path: Path) -> dict[str, Any]:
    """Read an ``identity.json``, which names the network that a replica is."""
    identity = read_mapping(path)
    if "model" not in identity:
        raise SeedscopeError(f"{path} names no network: delete it and run `dvc repro`")
    return identity


def read_history(path: Path) -> dict[str, list[float]]:
    """Return the columns of a ``history.csv``, a value per epoch; refuse one that is cut or lacks a column.

    Only a column beyond those that every history has may lack a value, which is then NaN.
    """
    always = ("epoch", "train_loss", "train_accuracy", "probe_loss", "probe_accuracy")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = list(reader.fieldnames or ())
        for name in always:
            if name not in columns:
                raise ValueError(f"it has no column {name!r}")
        empty = {name: [row[name] == "" and name not in always for row in rows] for name in columns}
        return {
            name: [float("nan" if without else row[name]) for row, without in zip(rows, empty[name], strict=True)]
            for name in columns
        }
    except (OSError, ValueError, TypeError, csv.Error) as error:  # TypeError: a row that ends too early
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> SeedscopeError:
    """Return the sentence that refuses a file."""
    if not path.exists():
        return SeedscopeError(f"{path} does not exist: run `dvc repro` to make it")
    return SeedscopeError(
        f"{path} cannot be read ({reason(error)}): it is truncated or not what its name says; "
        "delete it and run `dvc repro`"
    )


def reason(error: Exception) -> str:
    """Return what an error says, in one line."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else error
    return " ".join(str(said).split()) or type(error).__name__
