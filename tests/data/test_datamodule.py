"""Batches follow from the step, not from what was drawn before it."""

from itertools import islice
from types import SimpleNamespace

import pytest
import torch

from lightning_rast.data.datamodule import ViewsDataModule
from lightning_rast.data.views import Views
from lightning_rast.optim.schedule import Schedule
from lightning_rast.scene import Camera

SCHEDULE = Schedule(steps=10, pyramid=(2, 1), pyramid_at=(0.0, 0.5))


def make_datamodule(**options):
    cameras = Camera.look_at(3 * torch.eye(3), up=(1.0, 2.0, 3.0), fov_deg=40.0, image_size=(4, 6))
    views = Views(cameras, torch.rand(3, 4, 6), ("a", "b", "c"))
    datamodule = ViewsDataModule(views, None, schedule=SCHEDULE, **options)
    datamodule.setup("fit")
    return datamodule


def resumed_at(datamodule, step):
    datamodule.trainer = SimpleNamespace(global_step=step)
    return datamodule.train_dataloader()


def test_the_pyramid_level_follows_the_step():
    datamodule = make_datamodule()
    sizes = [datamodule.batch_of_step(step).image_size for step in range(10)]
    assert sizes == [(2, 3)] * 5 + [(4, 6)] * 5


def test_all_views_are_not_copied():
    datamodule = make_datamodule()
    assert datamodule.batch_of_step(9).coverage is datamodule.train_views.coverage


@pytest.mark.parametrize("resume_step", [1, 4, 7])
def test_a_resumed_iteration_goes_on_where_it_was(resume_step):
    datamodule = make_datamodule(views_per_step=2, seed=3)
    whole = [batch.names for batch in islice(resumed_at(datamodule, 0), 10)]
    rest = [batch.names for batch in islice(resumed_at(datamodule, resume_step), 10 - resume_step)]
    assert rest == whole[resume_step:]


def test_a_batch_of_some_views_has_their_images():
    datamodule = make_datamodule(views_per_step=1)
    batch = datamodule.batch_of_step(8)
    index = datamodule.train_views.names.index(batch.names[0])
    torch.testing.assert_close(batch.coverage[0], datamodule.train_views.coverage[index])
