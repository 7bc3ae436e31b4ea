"""Do seeds agree on how many channels of each kind a layer has, and did training make them?

Shares of words by layer: means over seeds with 95 % intervals, trained beside untrained. What training added is in the
metrics as ``<layer>_<word>_gain_untrained``, with its interval and the p of no gain, corrected for all gains of the
lens; it is of the same seeds, so it may be clear where the two intervals overlap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import Facts, Sheet
from seedscope.formulas.intervals import share_interval
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.words.shares import share_rows
from seedscope.lenses.words.vocabulary import NAMES, WORDS, known_words, summarize

if TYPE_CHECKING:
    import xarray as xr


def compare(measured: xr.DataTree) -> Comparison:
    """Return the figure of all seeds; the intervals of the scalars are made with those of all lenses."""
    import pandas as pd

    layers, about = list(measured.children), Facts.of(measured)
    summaries = [summarize(measured.sel(seed=seed)) for seed in about.seeds]
    rows = []
    for layer in layers:
        for word in known_words(measured):
            name = f"{layer}_{NAMES[word]}"
            for source, key in (("itself", name), ("null", f"{name}_null_{measured.attrs['null']}")):
                mean, low, high = share_interval(np.array([one[key] for one in summaries])).numbers
                rows.append(
                    {
                        "map": layer,
                        "source": source,
                        "measure": WORDS[word],
                        "value": mean,
                        "low": low,
                        "high": high,
                    }
                )
    sheet = Sheet(
        "what_channels_answer_to",
        about,
        "What the channels of each layer answer to",
        "The share of a layer's channels that have each word, trained (blue) and before training (grey): mean over "
        "seeds with its 95 % interval, none where it is the same in every seed. Where blue lies to the right of grey, "
        "training makes channels of that kind, or chance does: summary.csv has the gain, with p corrected for all "
        "gains of this lens.",
        share_rows(
            measured,
            pd.DataFrame(rows),
            {layer: layer for layer in layers},
            "share of the layer's channels, mean over seeds with 95 % interval",
        ),
    )
    return Comparison({}, [sheet])
