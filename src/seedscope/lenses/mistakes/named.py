"""How many units are named of each mistake."""

NAMED = 5
