"""Where artifacts lie, and how they are read and written."""
