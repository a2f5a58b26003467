"""Loading a config: what is accepted, and what a mistake is answered with."""

from pathlib import Path

import pytest

from lightning_rast.config import PRESETS, Config
from lightning_rast.config_file import (
    ConfigError,
    changed_keys,
    config_yaml,
    flat_values,
    load_config,
)

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def config_path(tmp_path):
    (tmp_path / "cube.obj").write_text("v 0 0 0\n")
    path = tmp_path / "kettle.yaml"
    path.write_text("data:\n  mesh: cube.obj\n")
    return path


def refusal(path, *overrides):
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    message = str(caught.value)
    assert len(message.splitlines()) < 20
    return message


def test_a_run_is_named_after_its_file(config_path):
    assert load_config(config_path).name == "kettle"
    assert load_config(config_path, ["name=mine"]).name == "mine"


def test_overrides_win_over_the_file(config_path):
    config_path.write_text("data:\n  mesh: cube.obj\nschedule:\n  steps: 7\n")
    assert load_config(config_path).schedule.steps == 7
    assert load_config(config_path, ["schedule.steps=9"]).schedule.steps == 9


@pytest.mark.parametrize("text", ["1000", "1e3", "1.0e3", "1_000"])
def test_a_thousand_steps_may_be_written_in_any_way(config_path, text):
    steps = load_config(config_path, [f"schedule.steps={text}"]).schedule.steps
    assert steps == 1000
    assert isinstance(steps, int)


def test_lists_and_pairs_are_typed(config_path):
    config = load_config(config_path, ["optimizer.betas=[0.5, 0.6]", "schedule.pyramid=[8,4,1]"])
    assert config.optimizer.betas == (0.5, 0.6)
    assert config.schedule.pyramid == [8, 4, 1]


def test_paths_in_a_file_start_at_the_file(config_path, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load_config(config_path).data.mesh == str(config_path.parent / "cube.obj")


def test_paths_in_an_override_start_at_the_current_folder(config_path, monkeypatch, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "ball.obj").write_text("")
    monkeypatch.chdir(tmp_path / "sub")
    config = load_config(config_path, ["data.mesh=ball.obj"])
    assert config.data.mesh == str(tmp_path / "sub" / "ball.obj")


def test_printed_yaml_reads_back_as_the_same_config(config_path, tmp_path):
    config = load_config(config_path, ["schedule.subdivide_at=[0.5]", "optimizer.lr=3e-3"])
    (tmp_path / "printed.yaml").write_text(config_yaml(config))
    assert load_config(tmp_path / "printed.yaml") == config


# What a shell, YAML and OmegaConf each would read as something else than text.
NAMES = ["105", "007", "1e3", "true", "null", "My photos #2", "a: b", "[x]", "{stem}_mask.png"]
NAMES += [
    "x${y}",
    "x${",
    "\\${y}",
    'it\'s "it"',
    "- a",
    "& b",
    "%c",
    "@d",
    "~e",
    "é ",
    "2026-11-22",
]


@pytest.mark.parametrize("name", NAMES)
def test_text_in_an_override_is_taken_as_it_is(config_path, name):
    assert load_config(config_path, [f"data.masks={name}"]).data.masks == name


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_is_found(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    config = load_config(None, ["name=a", "data.kind=masks", f"data.folder={name}"])
    assert config.data.folder == str(tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
def test_the_config_of_a_run_keeps_any_name(config_path, tmp_path, name):
    config = load_config(config_path, [f"data.masks={name}"])
    config.data.folder = str(tmp_path / name)
    (tmp_path / "printed.yaml").write_text(config_yaml(config), encoding="utf-8")
    assert load_config(tmp_path / "printed.yaml") == config


def test_a_run_is_named_after_a_file_of_any_name(config_path):
    path = config_path.with_name("x${y}.yaml")
    config_path.rename(path)
    assert load_config(path).name == "x${y}"


@pytest.mark.parametrize("name", ["105", "007", "1e3", "1.0", "0x10", "true", "no"])
def test_a_number_in_a_file_is_a_name_where_text_is_wanted(tmp_path, name):
    (tmp_path / name).mkdir()
    path = tmp_path / "a.yaml"
    path.write_text(f"name: {name}\ndata:\n  kind: masks\n  folder: {name}\n")
    config = load_config(path)
    assert (config.name, config.data.folder) == (name, str(tmp_path / name))


def test_a_number_that_text_refers_to_is_a_name(config_path):
    config_path.write_text("seed: 7\nname: ${seed}\ndata:\n  mesh: cube.obj\n")
    assert load_config(config_path).name == "7"


@pytest.mark.parametrize("text", ["[x]", "null", "{}"])
def test_a_list_or_nothing_in_a_file_is_no_text(config_path, text):
    config_path.write_text(f"name: {text}\ndata:\n  mesh: cube.obj\n")
    assert "name must be text" in refusal(config_path)


def test_a_choice_that_there_is_not_is_told_as_it_was_given(config_path):
    assert "device must be one of auto, cpu, cuda, got '${x}'" in refusal(
        config_path, "device=${x}"
    )


def test_changed_keys_are_full_names(config_path):
    before = load_config(config_path)
    after = load_config(config_path, ["seed=3", "schedule.steps=5"])
    assert changed_keys(before, after) == ["seed", "schedule.steps"]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("schedule.stpes=3", ["schedule.stpes is not a known key", "schedule.steps"]),
        ("steps=3", ["steps is not a known key", "Did you mean schedule.steps"]),
        ("learning.lr=3", ["learning.lr is not a known key", "optimizer.lr"]),
        ("schedule=3", ["schedule is a section"]),
        ("schedule.steps.at=3", ["schedule.steps takes a whole number"]),
        ("schedule.steps=many", ["schedule.steps must be a whole number, got 'many'"]),
        ("schedule.steps=1.5", ["schedule.steps must be a whole number, got 1.5"]),
        ("schedule.steps=true", ["schedule.steps must be a whole number, got True"]),
        ("schedule.steps=null", ["schedule.steps must be a whole number, got None"]),
        ("schedule.steps=0", ["schedule.steps must be 1 or more, got 0"]),
        ("schedule.pyramid=[4,x]", ["schedule.pyramid must be a list of whole numbers"]),
        ("schedule.pyramid=[4]", ["schedule.pyramid_at must have one moment for each"]),
        ("schedule.pyramid_at=[0,0.5,0.4]", ["schedule.pyramid_at must rise from 0"]),
        ("schedule.subdivide_at=[0.5,1.5]", ["schedule.subdivide_at must rise"]),
        ("optimizer.betas=[1,2,3]", ["optimizer.betas must be a list of 2 numbers"]),
        ("optimizer.betas=[0.9,1.0]", ["optimizer.betas must be between 0 and 1"]),
        ("render.sigma=0", ["render.sigma must be more than 0 pixels, got 0"]),
        (
            "render.coverage=hard",
            ["render.coverage must be one of contour, soft, antialias, softras, pytorch3d"],
        ),
        ("optimizer.lr=nan", ["optimizer.lr must be more than 0, got nan"]),
        ("loss.laplacian=-1", ["loss.laplacian must be a weight of 0 or more"]),
        ("loss.silhouette_l2=0", ["loss.silhouette_l2 and silhouette_l1 are both 0"]),
        ("data.kind=mask", ["data.kind must be one of synthetic, masks, got 'mask'"]),
        ("data.kind=masks", ["data.folder is needed"]),
        ("data.mesh=cub.obj", ["data.mesh names a file that does not exist"]),
        ("data.mesh=.", ["data.mesh names a folder", "Name a mesh file in it"]),
        ("data.fov_deg=180", ["data.fov_deg must be between 0 and 180"]),
        ("data.image_size=0", ["data.image_size must be between 1 and 4096"]),
        ("data.held_out_every=1", ["data.held_out_every must be 0 (none) or at least 2"]),
        ("data.held_out_offset=5", ["data.held_out_offset must be between 0 and 4"]),
        ("log.turntable=3", ["log.turntable must be true or false"]),
        ("log.num_checkpoints=1", ["log.num_checkpoints must be 2 or more"]),
        ("name=a/b", ["name must be a plain folder name"]),
    ],
)
def test_a_wrong_override_is_refused_by_name(config_path, override, expected):
    message = refusal(config_path, override)
    for text in (*expected, override.split("=")[0]):
        assert text in message


def test_a_wrong_line_is_refused_with_file_and_line(config_path):
    config_path.write_text("data:\n  mesh: cube.obj\nschedule:\n  stesp: 3\n")
    message = refusal(config_path)
    assert "schedule.stesp" in message
    assert "schedule.steps" in message
    assert f"{config_path}, line 4" in message


def test_all_impossible_values_are_told_at_once(config_path):
    message = refusal(config_path, "seed=-1", "data.num_views=0")
    assert "seed" in message
    assert "data.num_views" in message


def test_a_missing_mesh_names_its_nearest_neighbour(config_path):
    config_path.write_text("data:\n  mesh: cub.obj\n")
    assert "cube.obj?" in refusal(config_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: [1\n", "not valid YAML"),
        ("seed: 1\nseed: 2\n", "duplicate key"),
        ("- seed\n", "`key: value` lines"),
        ("", "data.mesh is needed"),
        ("data:\n", "data.mesh is needed"),
        ("data: {mesh: '${nowhere}'}\n", "nowhere"),
    ],
)
def test_a_malformed_file_is_refused(config_path, text, expected):
    config_path.write_text(text)
    assert expected in refusal(config_path)


def test_a_missing_config_names_its_nearest_neighbour(config_path):
    assert "kettle.yaml?" in refusal(config_path.with_name("ketle.yaml"))


def test_text_that_is_no_override_is_refused(config_path):
    assert "expected key=value" in refusal(config_path, "schedule.steps")


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "configs").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_config_of_the_repository_loads(path, tmp_path):
    mesh = tmp_path / "mesh.obj"
    mesh.write_text("")
    given = [f"data.mesh={mesh}"] if path.stem == "my_mesh" else []
    if 'folder: ""' in path.read_text():
        given = [f"data.folder={tmp_path}"]
    assert isinstance(load_config(path, given), Config)


def test_a_preset_sets_other_keys(tmp_path):
    (tmp_path / "a.yaml").write_text("preset: fast\ndata: {kind: masks, folder: .}\n")
    assert load_config(tmp_path / "a.yaml").ladder.polish_steps == 0


def test_what_is_written_comes_on_top_of_a_preset_given_later(tmp_path):
    (tmp_path / "a.yaml").write_text("ladder: {polish_steps: 3}\ndata: {kind: masks, folder: .}\n")
    config = load_config(tmp_path / "a.yaml", ["preset=fast"])
    assert (config.preset, config.ladder.polish_steps) == ("fast", 3)


def test_best_is_what_the_defaults_say():
    assert PRESETS["best"] == {}
    assert Config().preset == "best"


def test_every_preset_names_keys_that_there_are():
    keys = set(flat_values(Config()))
    assert all(key in keys for preset in PRESETS.values() for key in preset)


def test_a_preset_that_there_is_not_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("preset: fastest\ndata: {kind: masks, folder: .}\n")
    with pytest.raises(ConfigError, match="preset must be one of best, fast, sphere"):
        load_config(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("ladder.bending=[]", "ladder.bending must hold a length"),
        ("ladder.bending=[0.05,0]", "ladder.bending must hold lengths of more than 0"),
        ("ladder.lr=0", "ladder.lr must be more than 0"),
        ("newton.steps=-1", "newton.steps must be 0 or more"),
        ("remesh.edge_px=0", "remesh.edge_px must be more than 0"),
        ("topology.max_iou_loss=-1", "topology.max_iou_loss must be 0 or more"),
        ("start.resolution=2", "start.resolution must be between 8 and 512"),
        ("start.max_disagreeing=3", "start.max_disagreeing must be between 0 and 2"),
        ("ladder.min_gain=1", "ladder.min_gain must be between 0 and 1"),
    ],
)
def test_impossible_stages_are_refused(tmp_path, override, message):
    (tmp_path / "a.yaml").write_text("data: {kind: masks, folder: .}\n")
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        load_config(tmp_path / "a.yaml", [override])


def test_a_ladder_in_which_nothing_moves_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("data: {kind: masks, folder: .}\n")
    with pytest.raises(ConfigError, match="nothing would move"):
        load_config(tmp_path / "a.yaml", ["preset=fast", "newton.steps=0"])


def test_cameras_that_no_rung_would_correct_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("data: {kind: masks, folder: .}\n")
    with pytest.raises(ConfigError, match="would never be corrected"):
        load_config(tmp_path / "a.yaml", ["cameras.enabled=true", "cameras.bending=0.06"])
