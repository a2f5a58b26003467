"""When a callback acts."""

import pytorch_lightning as pl


def is_due(trainer: pl.Trainer, every_n_steps: int) -> bool:
    """After every n-th step, and after the last one; `every_n_steps` 0 means only after that."""
    step = trainer.global_step
    return step == trainer.max_steps or (every_n_steps > 0 and step % every_n_steps == 0)


def is_finished(trainer: pl.Trainer) -> bool:
    """False when training was stopped before its last step."""
    return trainer.global_step >= trainer.max_steps
