"""A setting that changes nothing beside the others is told of, with the setting that decides."""

import pytest

from lightning_rast.config import Config
from lightning_rast.config_effect import reason_without_effect
from lightning_rast.config_file import flat_values, load_config, settings_without_effect

KINDS = ("synthetic", "masks")


def told(*overrides, path=None):
    config = load_config(path, overrides, complete=False)
    return list(settings_without_effect(config, path, overrides))


@pytest.mark.parametrize(
    ("overrides", "key", "reason"),
    [
        (["optimizer.lr=0.1"], "optimizer.lr", "schedule.kind=ladder"),
        (["schedule.steps=7"], "schedule.steps", "schedule.kind=ladder"),
        (["loss.laplacian=2"], "loss.laplacian", "schedule.kind=ladder"),
        (["preset=sphere", "ladder.lr=0.1"], "ladder.lr", "schedule.kind=pyramid"),
        (["preset=sphere", "newton.steps=9"], "newton.steps", "schedule.kind=pyramid"),
        (["preset=fast", "ladder.lr=0.1"], "ladder.lr", "ladder.polish_steps=0"),
        (["start.subdivisions=2"], "start.subdivisions", "start.kind=hull"),
        (["start.kind=sphere", "start.resolution=9"], "start.resolution", "start.kind=sphere"),
        (["remesh.enabled=false", "remesh.edge=1"], "remesh.edge", "remesh.enabled=false"),
        (["cameras.prior=1"], "cameras.prior", "cameras.enabled=false"),
        (["render.sigma=1"], "render.sigma", "render.coverage=contour"),
        (["data.kind=masks", "data.num_views=9"], "data.num_views", "data.kind=masks"),
        (["data.fix=[opengl_axes]"], "data.fix", "data.kind=synthetic"),
        (["data.invert_masks=true"], "data.invert_masks", "data.kind=synthetic"),
        (["viewer.port=99"], "viewer.port", "viewer.enabled=false"),
        (
            ["data.kind=masks", "data.masks=alpha", "data.background_threshold=0.2"],
            "data.background_threshold",
            "data.masks=alpha",
        ),
    ],
)
def test_a_setting_without_effect_is_told_with_the_one_that_decides(overrides, key, reason):
    (text,) = told(*overrides)
    assert text.startswith(f"{key} has no effect with {reason}  [override")


@pytest.mark.parametrize(
    "overrides",
    [
        ["preset=sphere", "optimizer.lr=0.1", "schedule.steps=7"],
        ["preset=fast", "newton.steps=3"],
        ["start.kind=sphere", "ladder.bending_from_sphere=[0.1]"],
        ["cameras.enabled=true", "cameras.prior=1"],
        ["render.coverage=soft", "render.sigma=1"],
        ["render.coverage=pytorch3d", "render.sigma=1"],
        ["optimizer.lr=0.03"],  # the default
    ],
)
def test_settings_with_an_effect_are_not_told_of(overrides):
    assert told(*overrides) == []


def test_a_file_is_named_with_its_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("data:\n  mesh: cube.obj\noptimizer:\n  lr: 0.5\n")
    (text,) = told(path=path)
    assert f"{path}, line 4" in text


def test_every_key_of_the_data_belongs_to_one_kind_of_them():
    kinds = [load_config(None, [f"data.kind={kind}"], complete=False) for kind in KINDS]
    for key in flat_values(Config()):
        if key.startswith("data.") and key != "data.kind":
            reasons = {reason_without_effect(config, key) for config in kinds}
            assert reasons & {f"data.kind={kind}" for kind in KINDS}, key


def test_every_key_has_an_effect_somewhere():
    changes = [
        [],
        ["data.kind=masks", "data.masks=background", "start.kind=mesh", "cameras.enabled=true"],
        ["viewer.enabled=true"],
        ["preset=sphere", "render.coverage=soft"],
        ["start.kind=sphere"],
    ]
    configs = [load_config(None, change, complete=False) for change in changes]
    for key in flat_values(Config()):
        assert any(reason_without_effect(config, key) is None for config in configs), key
