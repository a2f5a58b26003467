"""Scores of a finished run or of any mesh file: `python -m lightning_rast.evaluate RUN_OR_MESH`."""
