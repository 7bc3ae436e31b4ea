"""The figures of the words lens: shares of all words, and of each layer its channels by word with their curves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import Facts, Sheet
from seedscope.lenses.words.channels import channels
from seedscope.lenses.words.curves import tuning_curves
from seedscope.lenses.words.shares import null_in_words, share_rows
from seedscope.lenses.words.vocabulary import MET, WORDS, in_sample, in_words, known_words, shares

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_TABLED = (
    "preferred_orientation",
    "orientation_selectivity",
    "best_period",
    "spot_radius",
    "preferred_hue",
    "grating_rise",
    "across_rise",
    "spot_rise",
    "grey_rise",
    "hue_rise",
    "largest_change",
)


def draw(measured: xr.DataTree) -> Iterator[Sheet]:
    """Yield the shares of all words, and of each layer its channels by word and the curves that say so."""
    measured = measured.load()
    yield overview(measured)
    for layer in measured.children:
        yield channels(measured, layer)
        yield tuning_curves(measured, layer)


def overview(measured: xr.DataTree) -> Sheet:
    """Show the share of each word in each layer, beside the null's."""
    import pandas as pd

    layers = {layer: node.to_dataset() for layer, node in measured.children.items()}
    words = known_words(measured)
    rows = [
        {"map": layer, "source": source, "measure": WORDS[word], "value": share[word]}
        for layer, part in layers.items()
        for source, share in zip(("itself", "null"), shares(part), strict=True)
        for word in words
    ]
    shaped = in_sample(measured)
    named = {
        layer: f"{layer} ({part.sizes['channel']} channels)" + ("\nin-sample" if layer in shaped else "")
        for layer, part in layers.items()
    }
    said = "; ".join(f"{layer}: {in_words(part, words, measured.attrs['null'])}" for layer, part in layers.items())
    hues = "" if measured.attrs["colours"] == 3 else " The pictures have no colour, so no hue was asked for."
    return Sheet(
        "what_channels_answer_to",
        Facts.of(measured),
        "What the channels of each layer answer to",
        "Blue: the share of a layer's channels that have each word; grey: the same in random networks "
        f"({null_in_words(measured)}). Where blue lies to the right of grey, learning made channels of that kind."
        f"{hues}{_tested_on(measured)} In numbers, {said}.",
        share_rows(measured, pd.DataFrame(rows), named, "share of the layer's channels"),
        pd.concat([_table(layer, part, layer in shaped) for layer, part in layers.items()], ignore_index=True),
    )


def _tested_on(measured: xr.DataTree) -> str:
    """Say which layers the rule was fixed on, and which test it."""
    shaped = in_sample(measured)
    if not shaped:
        return ""
    others = [layer for layer in measured.children if layer not in shaped]
    tested = f"only {', '.join(others)} test it" if others else "none of these layers tests it"
    return f" In-sample: the rule was fixed after looking at {', '.join(shaped)}, so {tested}."


def _table(layer: str, part: xr.Dataset, shaped: bool) -> pd.DataFrame:
    """Return a row per channel."""
    import pandas as pd

    table = pd.DataFrame({name: part[name].values for name in _TABLED})
    table.insert(0, "layer", layer)
    table.insert(1, "channel", part.channel.values)
    table.insert(2, "word", np.array(WORDS)[part.answer.values])
    table["in_sample"] = shaped
    for word, name in enumerate(MET):
        table.insert(3 + word, name.replace(" ", "_"), part.met.values[:, word])
    table["spot_polarity"] = part.polarity.values[part.spot_polarity.values]
    return table
