"""When a callback acts."""

import pytorch_lightning as pl

from lightning_rast.module import ReconstructionModule


def is_due(trainer: pl.Trainer, every_n_steps: int) -> bool:
    """After every n-th step, and after the last one; `every_n_steps` 0 means only after that."""
    return is_finished(trainer) or (every_n_steps > 0 and trainer.global_step % every_n_steps == 0)


def is_finished(trainer: pl.Trainer) -> bool:
    """False when training was stopped before its last step."""
    module = trainer.lightning_module
    assert isinstance(module, ReconstructionModule)
    return module.is_finished
