"""Pure functions over arrays: each formula once."""
