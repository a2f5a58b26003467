"""The page of a run, made from its folder: `python -m lightning_rast.report RUN`."""
