"""The names of what is asked of a layer, and of what it is held against."""

READINGS = ("winning_input", "class_mean", "nearest")
OTHERS = ("other_class_mean", "other_class_means")
NULLS = ("untrained", "shuffled", "mixture", "turned")
ROW_NULLS = ("untrained", "mixture", "turned")
RANDOM = ("mixture", "turned")  # drawn, with a Monte Carlo error
PARTS = ("winner", "losers", "low", "high", "size")  # 5 % and 95 % of the losers' products
JUDGED = {"version": "in_span", "measure": "pearson"}  # what a verdict is about
RESEMBLES = 0.5  # from here on a row counts as resembling: kind to the claim, a quarter of its variance
