"""Training views as Lightning wants them: one batch is the views of one step."""

from collections.abc import Iterator

import pytorch_lightning as pl
import torch

from lightning_rast.data.masks import native_views
from lightning_rast.data.views import Views, ViewsError
from lightning_rast.optim.schedule import Schedule, views_of_step


class ViewsDataModule(pl.LightningDataModule):
    """Training and held-out views; no worker processes, since the images stay in memory.

    Batches follow from (seed, global step) alone, so a resumed run sees what an uninterrupted
    one would have seen. Before training starts the images move to the training device.
    """

    def __init__(
        self,
        train_views: Views,
        held_out_views: Views | None,
        *,
        schedule: Schedule,
        views_per_step: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.train_views = train_views
        self.held_out_views = held_out_views
        self.schedule = schedule
        self.views_per_step = views_per_step
        self.seed = seed
        self._levels: list[Views] = []

    def setup(self, stage: str) -> None:
        if not self._levels:
            # On the CPU: the running sums behind it have no deterministic CUDA version.
            self._levels = self.train_views.to("cpu").pyramid(self.schedule.pyramid)
        if self.trainer is not None:
            device = self.trainer.strategy.root_device
            self._levels = [level.to(device) for level in self._levels]
            self.train_views = self.train_views.to(device)
            if self.held_out_views is not None:
                self.held_out_views = self.held_out_views.to(device)

    def batch_of_step(self, step: int) -> Views:
        """The views of a step, at its pyramid level."""
        views = self._levels[self.schedule.stage_at(step).level]
        chosen = views_of_step(len(views), self.views_per_step, seed=self.seed, step=step)
        return views if len(chosen) == len(views) else views[chosen]

    def train_dataloader(self) -> "_Steps":
        return _Steps(self)

    def test_dataloader(self) -> "_OneByOne":
        """The held-out views one by one, each in the resolution of its image file.

        Raises:
            ViewsError: no view is held out, or a file has gone.
        """
        if self.held_out_views is None:
            raise ViewsError("no view is held out: there is nothing to test on")
        return _OneByOne(self.held_out_views)

    def transfer_batch_to_device(
        self, batch: Views, device: torch.device, dataloader_idx: int
    ) -> Views:
        return batch.to(device)


class _Steps:
    """Endless, and without a length: Lightning then counts steps, not epochs, and takes up
    the iteration at the restored global step instead of the start of an epoch."""

    def __init__(self, datamodule: ViewsDataModule) -> None:
        self._datamodule = datamodule

    def __iter__(self) -> Iterator[Views]:
        trainer = self._datamodule.trainer
        step = 0 if trainer is None else trainer.global_step
        while True:
            yield self._datamodule.batch_of_step(step)
            step += 1


class _OneByOne:
    """Native views; a list would be taken for one data loader each."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def __len__(self) -> int:
        return len(self._views)

    def __iter__(self) -> Iterator[Views]:
        return native_views(self._views)
