"""The reconstruction benchmark, as far as it can be tried in a second."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """Modules of the benchmark, which lie beside each other as scripts do."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import reconstruction
    import reconstruction_cases
    import reconstruction_methods
    import reconstruction_page

    yield reconstruction, reconstruction_cases, reconstruction_methods, reconstruction_page
    for name in [name for name in sys.modules if name.startswith("reconstruction")]:
        del sys.modules[name]


def test_linked_rings_are_two_solids_that_do_not_touch(benchmark):
    from lightning_rast.scene import mesh_report

    report = mesh_report(benchmark[1].linked_rings())
    assert [part.genus for part in report.components] == [1, 1]
    assert report.is_sound
    assert report.num_self_intersections == 0


def test_shapes_whose_file_is_not_there_are_skipped_with_a_word(benchmark, tmp_path, capsys):
    assert list(benchmark[1].shape_cases(["spot"], tmp_path, [4], [32])) == []
    assert "spot is skipped: no" in capsys.readouterr().err


def test_a_result_is_scored_and_shown(benchmark):
    reconstruction, cases, methods, pages = benchmark
    (case,) = cases.shape_cases(["torus"], None, [6], [48])

    def copied(train, held_out):
        return methods.Outcome(case.reference, 1.5)

    result = reconstruction.measured(case, "best", copied)
    assert result["scores"]["volume_iou"] == 1
    assert result["mesh"]["genus"] == 1
    shown = pages.page({"results": {"torus": result}})
    assert "| torus | 1 | 1.0000 / 1.0000 (1) |" in shown
    assert "| best | 1 / 1 | 1 / 1 |  |" in shown
    assert f"states of the library: {result['commit']} (best: 1)." in shown


def test_a_failure_is_a_result(benchmark):
    reconstruction, cases, _, pages = benchmark
    (case,) = cases.shape_cases(["torus"], None, [6], [48])

    def failing(train, held_out):
        raise ValueError("no surface")

    result = reconstruction.measured(case, "best", failing)
    assert result["error"] == "ValueError: no surface"
    assert "no surface" in pages.page({"results": {"torus": result}})


def test_a_peer_needs_no_more_than_the_views(benchmark):
    pytest.importorskip("deodr")
    _, cases, methods, _ = benchmark
    (case,) = cases.shape_cases(["torus"], None, [4], [32])
    found = methods.peer_method("DEODR", num_steps=3)(case.train, case.held_out)
    assert found.mesh.num_faces == 5120
    assert found.report == {"steps": 3}
