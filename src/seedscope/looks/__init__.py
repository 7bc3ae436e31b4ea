"""A lens put on one replica: measured, drawn, and kept on a shelf."""
