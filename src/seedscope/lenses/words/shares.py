"""Shares of words as dots: a panel for each word, a row for each layer, the network beside its null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from seedscope.figures import FOR, NEUTRAL, Grid
from seedscope.figures.dots import Source, dot_rows
from seedscope.lenses.words.vocabulary import PERMUTED, PLURAL, WORDS, known_words

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def null_in_words(measured: xr.DataTree) -> str:
    """Return what the null is."""
    return "weights permuted" if measured.attrs["null"] == PERMUTED else "untrained"


def share_rows(measured: xr.DataTree, table: pd.DataFrame, layers: Mapping[str, str], label: str) -> Grid:
    """Show the shares of a table, see :func:`dot_rows`, whose ``map`` is a layer, ``source`` ``itself`` or ``null``."""
    own = "as given" if measured.attrs["null"] == PERMUTED else "trained"
    return dot_rows(
        table,
        {WORDS[word]: PLURAL[word] for word in known_words(measured)},
        layers,
        {
            "null": Source(f"{null_in_words(measured)} (null)", "o", NEUTRAL),
            "itself": Source(own, "D", FOR),
        },
        low=0,
        label=label,
        ticks=(0, 0.5, 1),
    )
