"""Every real set trains with a config of a few lines, and comes to the benchmark's scores.

LRAST_TEST_DATA names the folder of the sets. One of them takes from half a minute to some minutes:
python -m pytest -m slow tests/test_real_sets.py -k vgg_dino
"""

import json
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

RECORD = REPOSITORY / "docs" / "benchmarks" / "reconstruction.json"
# As a person writes it; where a set has the files of several formats, `auto` takes its
# cameras.json, as the benchmark does.
CONFIG = """\
data:
  kind: masks
  folder: {folder}
"""
SETS = (
    "vgg_dino",
    "middlebury_dinoSparseRing",
    "dtu_scan65",
    "nerf_lego_synthetic",
    "colmap_silhouettes",
    "tsinghua_wd2",
    "forbes_elephant",
)
ALLOWANCE = 0.002  # of IoU: what a change of the recipe, or of a machine's rounding, may cost


def command(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "lightning_rast", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_benchmark_has_a_record_of_every_set():
    results = json.loads(RECORD.read_text())["results"]
    assert [name for name in SETS if f"{name}, best" not in results] == []


def test_the_config_is_short():
    assert len(CONFIG.splitlines()) <= 6


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_a_set_reaches_the_scores_of_the_benchmark(shared_data, tmp_path, name):
    config = tmp_path / f"{name}.yaml"
    config.write_text(CONFIG.format(folder=shared_data / name))
    command("train", "--config", str(config), f"log.root={tmp_path}", "--quiet")
    run = tmp_path / name / "version_0"
    command("evaluate", str(run), "--quiet", "--json", str(tmp_path / "scores.json"))
    found = json.loads((tmp_path / "scores.json").read_text())["scores"]["result"]
    recorded = json.loads(RECORD.read_text())["results"][f"{name}, best"]["scores"]
    for key in ("held_out_iou_mean", "train_iou_mean"):
        print(f"{name}, {key}: {found[key]:.4f}, recorded {recorded[key]:.4f}")
        assert found[key] > recorded[key] - ALLOWANCE
