"""Compare the decisions of all seeds (see :meth:`seedscope.lenses.agreement.Agreement.compare`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from seedscope.lenses.agreement.decisions import Decisions, margins, same_wrong_answer, shared_mistakes
from seedscope.lenses.agreement.draw import sheet_over_seeds
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.pair_numbers import pair_table

if TYPE_CHECKING:
    import pandas as pd


def compare(measured: xr.Dataset) -> Comparison:
    """Return mistakes and margins of pairs of seeds with their nulls; one seed has no pair, and no value."""
    decisions = Decisions.of(measured)
    consistency, shared = shared_mistakes(decisions)
    overall, within = margins(decisions)
    named = {"error_consistency": consistency, "margin_agreement": overall, "margin_agreement_within_class": within}
    metrics = {
        **consistency.metrics("error_consistency"),
        **shared.metrics("shared_mistakes"),
        "same_wrong_answer": same_wrong_answer(decisions),
        **overall.metrics("margin_agreement"),
        **within.metrics("margin_agreement_within_class"),
    }
    sheets = [sheet_over_seeds(measured, decisions, named)] if measured.sizes["seed"] > 1 else []
    pairs = {name: one.pairs() for name, one in named.items() if one.defined}
    tables = {
        "agreement_pairs": pair_table({**named, "shared_mistakes": shared}),
        "hard_pictures": _hard(decisions, measured.sample.values),
    }
    return Comparison(metrics, sheets, tables, pairs)


def _hard(decisions: Decisions, sample: np.ndarray) -> pd.DataFrame:
    """Return the pictures that some seed decides wrongly, those first that most do."""
    import pandas as pd

    times = decisions.wrong.sum(0)
    order = np.argsort(-times, kind="stable")[: (times > 0).sum()]
    found = {"sample": sample[order], "class": decisions.label[order], "wrong_in": times[order]}
    return pd.DataFrame({**found, "mean_margin": decisions.margin.mean(0)[order]})
