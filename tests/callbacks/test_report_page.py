"""The page that a run writes of itself at its end."""

import time
import warnings

import pytest
from pytorch_lightning.callbacks import LambdaCallback

from lightning_rast.callbacks import Evaluation, Metrics, ReportPage, Scalars
from lightning_rast.callbacks.write_failure import WriteWarning
from tests.callbacks.problem import TARGET, Fit

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:pytorch_lightning")


def watched(fit, notes=()):
    return (
        Scalars(every_n_steps=2),
        Evaluation(every_n_steps=5),
        Metrics(fit.folder, started=time.perf_counter(), reference=TARGET, warnings=notes),
        ReportPage(fit.folder, fit.config),
    )


def test_a_finished_run_has_a_page_with_its_views_scores_and_curves(tmp_path):
    fit = Fit(tmp_path / "ball" / "version_3")
    fit.run(*watched(fit, ["masks/3.png: looks inverted"]))
    page = (fit.folder / "report.html").read_text()
    assert "<h1>ball/version_3</h1>" in page
    assert ">finished<" in page
    assert page.count("data-iou=") == 8
    assert "held out, mean" in page
    assert "masks/3.png: looks inverted" in page


def test_a_run_that_is_stopped_has_one_too(tmp_path):
    fit = Fit(tmp_path)
    fit.run(*watched(fit), stop_at=4)
    assert "stopped early" in (tmp_path / "report.html").read_text()


def test_a_run_without_events_says_that_it_has_no_curves(tmp_path):
    fit = Fit(tmp_path)
    fit.run(*watched(fit), logger=False)
    assert "no TensorBoard events" in (tmp_path / "report.html").read_text()


def test_a_page_that_cannot_be_written_is_a_warning_that_says_why(tmp_path):
    fit = Fit(tmp_path)
    (tmp_path / "report.html").mkdir()
    with pytest.warns(
        WriteWarning, match=r"report.html could not be written.*lightning-rast report"
    ):
        fit.run(*watched(fit))
    assert fit.module.is_finished


def test_whatever_goes_wrong_with_the_page_the_run_is_finished(tmp_path, monkeypatch):
    monkeypatch.setattr("lightning_rast.callbacks.report_page.gathered", lambda *_, **__: 1 / 0)
    fit = Fit(tmp_path)
    with pytest.warns(WriteWarning, match="ZeroDivisionError"):
        fit.run(*watched(fit))
    assert fit.module.is_finished


def test_warnings_are_noted_and_shown_all_the_same():
    from lightning_rast.warning_notes import noted_warnings

    with pytest.warns(UserWarning, match="look at this"), noted_warnings() as notes:
        warnings.warn("look at this", stacklevel=1)
    assert notes == ["look at this"]
    with pytest.warns(UserWarning, match="not at this"):
        warnings.warn("not at this", stacklevel=1)
    assert notes == ["look at this"]


def test_the_page_of_an_earlier_session_is_gone_once_the_run_goes_on(tmp_path):
    fit, page = Fit(tmp_path), tmp_path / "report.html"
    page.write_text("after 65 steps")
    seen = []
    look = LambdaCallback(on_train_batch_end=lambda *_: seen.append(page.exists()))
    fit.run(ReportPage(tmp_path, fit.config), look)
    assert not any(seen)
