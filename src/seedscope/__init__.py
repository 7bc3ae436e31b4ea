"""Seedscope: how a small network decides, and whether it decides the same way when only the seed changes."""
