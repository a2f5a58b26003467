"""`trainer.test`: held-out views and the mesh's state, logged."""

import pytest
import pytorch_lightning as pl

from lightning_rast.callbacks import FinalScores
from lightning_rast.data import ViewsError
from lightning_rast.evaluation import native_ious
from tests.callbacks.problem import TARGET, Fit

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


def logged_by_test(fit: Fit, *callbacks: pl.Callback) -> dict[str, float]:
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=fit.folder,
    )
    (found,) = trainer.test(fit.module, datamodule=fit.datamodule, verbose=False)
    return dict(found)


def test_iou_is_of_the_held_out_views(tmp_path):
    fit = Fit(tmp_path)
    expected, _ = native_ious(fit.module, fit.datamodule.held_out_views)
    found = logged_by_test(fit)
    assert found["test/iou_mean"] == pytest.approx(sum(expected) / 3, abs=1e-6)
    assert found["test/iou_min"] == pytest.approx(min(expected), abs=1e-6)


def test_with_the_callback_the_surface_is_scored_too(tmp_path):
    found = logged_by_test(Fit(tmp_path, start=TARGET), FinalScores(TARGET))
    assert found["test/volume_iou"] == 1
    assert found["test/chamfer_l1"] < 1e-3
    assert found["test/f_score"] == 1
    assert (found["test/genus"], found["test/num_components"], found["test/is_sound"]) == (0, 1, 1)


def test_without_held_out_views_it_says_so(tmp_path):
    with pytest.raises(ViewsError, match="no view is held out"):
        logged_by_test(Fit(tmp_path, held_out=False))
