"""A callback watches: leaving it out changes nothing but what is written."""

import time

import pytest

from lightning_rast.runs import Run
from lightning_rast.training import make_callbacks
from tests.callbacks.problem import TARGET, Fit

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def bits(fit):
    return fit.module.verts.detach().numpy().tobytes(), fit.module.faces.numpy().tobytes()


def watched(fit, without=None):
    log = fit.config.log
    log.every_n_steps = log.evaluate_every_n_steps = log.image_every_n_steps = 2
    log.mesh_every_n_steps = 5
    log.turntable = without is None  # the slowest of them
    now = time.perf_counter()
    callbacks = make_callbacks(fit.config, Run(fit.folder), reference=TARGET, started=now)
    return [callback for callback in callbacks if type(callback).__name__ != without]


@pytest.fixture(scope="module")
def unwatched_bits(tmp_path_factory):
    fit = Fit(tmp_path_factory.mktemp("unwatched"))
    fit.run(logger=False)
    return bits(fit)


@pytest.mark.parametrize(
    "without",
    [
        None,
        "Scalars",
        "Evaluation",
        "RunText",
        "ScalarLayout",
        "Images",
        "MeshLog",
        "MeshExport",
        "Metrics",
        "ReportPage",
        "ProgressDisplay",
    ],
)
def test_the_mesh_has_the_same_bits_without_a_callback(tmp_path, unwatched_bits, without):
    fit = Fit(tmp_path)
    callbacks = watched(fit, without)
    if without is not None:
        assert len(callbacks) == len(watched(fit, "Nothing")) - 1
    fit.run(*callbacks)
    assert bits(fit) == unwatched_bits


def test_nothing_needs_an_event_file(tmp_path, unwatched_bits):
    fit = Fit(tmp_path)
    fit.run(*watched(fit), logger=False)
    assert bits(fit) == unwatched_bits
    assert not list(tmp_path.glob("events*"))
    assert (tmp_path / "metrics.json").is_file()
