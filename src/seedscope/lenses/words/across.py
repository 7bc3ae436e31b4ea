"""Do seeds agree on how many channels of each kind a layer has, and did training make them?

Shares of words by layer: means over seeds with 95 % t intervals, trained beside untrained. What training changed is in
the metrics as ``<layer>_<word>_change``, with its interval; it is of the same seeds, so it may be clear where the two
intervals overlap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from seedscope.drawing import Drawing
from seedscope.drawing.dots import dot_rows
from seedscope.formulas.intervals import mean_interval
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.words.drawing import marks, panel_titles
from seedscope.lenses.words.rule import NAMES, WORDS, known_words, summarize

if TYPE_CHECKING:
    import xarray as xr


def compare(measured: Mapping[int, xr.Dataset]) -> Comparison:
    """Return the figure of all seeds; the intervals of the scalars are made with those of all lenses."""
    import pandas as pd

    any_one = measured[min(measured)]
    layers = any_one.of.values.tolist()
    summaries = [summarize(measured[seed]) for seed in sorted(measured)]
    rows = []
    for layer in layers:
        for word in known_words(any_one):
            name = f"{layer}_{NAMES[word]}"
            for source, key in (("itself", name), ("null", f"{name}_{any_one.attrs['null']}")):
                mean, low, high = mean_interval(np.array([one[key] for one in summaries])).numbers
                rows.append(
                    {
                        "map": layer,
                        "source": source,
                        "measure": WORDS[word],
                        "value": mean,
                        "low": np.maximum(0.0, low),
                        "high": np.minimum(1.0, high),
                    }
                )
    figure = dot_rows(
        f"What the channels of each layer answer to ({any_one.attrs['experiment']}, n = {len(summaries)} seeds)",
        pd.DataFrame(rows),
        panel_titles(any_one),
        {layer: layer for layer in layers},
        marks(any_one),
        low=0,
        label="share of the layer's channels, mean over seeds with 95 % interval",
        ticks=(0, 0.5, 1),
    )
    words = (
        "The share of a layer's channels that have each word, trained (blue) and before training (grey): mean over "
        "seeds with its 95 % t interval, drawn as far as a share can go. Where blue lies to the right of grey, "
        "training makes channels of that kind."
    )
    return Comparison({}, [Drawing("what_channels_answer_to", figure, words)])
