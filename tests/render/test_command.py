"""`lightning-rast render`: pictures from a mesh file, and errors in one line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_rast.data.masks import load_mask_views
from lightning_rast.ops import advice
from lightning_rast.render import render_silhouettes, turntable_files
from lightning_rast.render.command import main
from lightning_rast.scene import (
    Asset,
    Material,
    Texture,
    cube,
    export_mesh,
    load_mesh,
    save_mesh,
    with_vertex_colors,
)

REPOSITORY = Path(__file__).parents[2]
SMALL = ["--size", "48x32", "--views", "3"]


@pytest.fixture
def mesh_path(tmp_path: Path) -> Path:
    save_mesh(cube(center=(1, 2, 3)), tmp_path / "box.ply")
    return tmp_path / "box.ply"


@pytest.fixture
def render(mesh_path: Path, capsys: pytest.CaptureFixture[str]):
    """Runs the command on the box into its folder `out`; what it returned and printed."""

    def run(*arguments: str, mesh: Path = mesh_path) -> tuple[int, str, str]:
        try:
            code = main([str(mesh), "--out", str(mesh_path.parent / "out"), *arguments])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_help_teaches_by_example_without_loading_pytorch():
    code = (
        "import sys; from lightning_rast.render.command import main\n"
        "try: main(['--help'])\n"
        "finally: assert 'torch' not in sys.modules, 'torch was imported'"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.count("lightning-rast render") > 4
    assert run.stderr == ""


def test_the_module_can_be_run(mesh_path: Path):
    command = [sys.executable, "-m", "lightning_rast.render", str(mesh_path), *SMALL]
    run = subprocess.run(
        [*command, "--out", str(mesh_path.parent / "out")],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
        cwd=REPOSITORY,
    )
    assert run.stdout.splitlines()[0].startswith("box.ply: 8 vertices, 12 faces")
    assert run.stdout.splitlines()[1].endswith(str(Path("out") / "sheet.png"))
    assert run.stderr == ""


def test_frames_and_a_sheet_are_written(render, tmp_path):
    code, _, error = render(*SMALL)
    assert (code, error) == (0, "")
    frames = {f"color/00{view}.png" for view in range(3)}
    assert files_in(tmp_path / "out") == {*frames, "sheet.png", "cameras.json"}
    with Image.open(tmp_path / "out" / "color" / "000.png") as image:
        assert image.size == (48, 32)
        assert image.mode == "RGB"


def test_every_output_has_its_folder(render, tmp_path):
    outputs = ["color", "normals", "depth", "coverage", "face_idx"]
    code, _, _ = render(*SMALL, "--outputs", ",".join(outputs), "--gif")
    assert code == 0
    frames = {f"{name}/00{view}.png" for view in range(3) for name in outputs}
    rest = {"sheet.png", "cameras.json", "turntable.gif"}
    assert files_in(tmp_path / "out") == {*frames, *rest}
    with Image.open(tmp_path / "out" / "turntable.gif") as animation:
        assert animation.n_frames == 3


def test_depth_pictures_hold_distances(render, tmp_path):
    render("--size", "64", "--views", "1", "--outputs", "depth", "--elevation", "0")
    content = json.loads((tmp_path / "out" / "cameras.json").read_text())
    scale, view = content["depth"], content["views"][0]
    with Image.open(tmp_path / "out" / view["depth"]) as image:
        values = np.asarray(image).astype(float)
    step = (scale["far"] - scale["near"]) / (scale["value_at_near"] - scale["value_at_far"])
    depth = scale["near"] + step * (scale["value_at_near"] - values)
    # The front of the unit cube is half a unit nearer than its centre, which the camera looks at.
    assert depth[32, 32] == pytest.approx(view["t"][2] - 3 - 0.5, abs=1e-4)
    assert values[0, 0] == 0


def test_a_transparent_background_is_transparent(render, tmp_path):
    render(*SMALL, "--outputs", "color,normals", "--background", "transparent")
    for name in ("color", "normals"):
        with Image.open(tmp_path / "out" / name / "000.png") as image:
            assert image.mode == "RGBA"
            alpha = np.asarray(image)[..., 3]
        assert alpha[0, 0] == 0
        assert alpha[16, 24] == 255


def test_colours_are_those_asked_for(render, tmp_path):
    render(*SMALL, "--color", "#ff0000", "--background", "#102030")
    with Image.open(tmp_path / "out" / "color" / "000.png") as image:
        assert image.getpixel((0, 0)) == (0x10, 0x20, 0x30)
        red, green, blue = image.getpixel((24, 16))
    assert red > 150
    assert green == blue == 0


def test_a_file_is_drawn_in_its_own_colours(render, mesh_path, tmp_path):
    box = with_vertex_colors(load_mesh(mesh_path), torch.tensor([[0.0, 1, 0]] * 8))
    export_mesh(box, tmp_path / "green.glb")
    for arguments, is_green in (
        ((), True),
        (("--color", "file"), True),
        (("--color", "clay"), False),
    ):
        render(*SMALL, *arguments, mesh=tmp_path / "green.glb")
        with Image.open(tmp_path / "out" / "color" / "000.png") as image:
            red, green, blue = image.getpixel((24, 16))
        assert (red == blue == 0 and green > 150) == is_green


def test_a_file_without_colours_is_drawn_in_clay(render, tmp_path):
    pictures = []
    for arguments in ((), ("--color", "clay")):
        render(*SMALL, *arguments)
        pictures.append((tmp_path / "out" / "color" / "000.png").read_bytes())
    assert pictures[0] == pictures[1]


def test_a_damaged_texture_is_refused_with_a_way_out(render, mesh_path, tmp_path, monkeypatch):
    uvs = torch.zeros(12, 3, 2)
    material = Material(texture=Texture(b"damaged"))
    asset = Asset(mesh=load_mesh(mesh_path), uvs=uvs, materials=(material,),
                  material_idx=torch.zeros(12, dtype=torch.int32))  # fmt: skip
    monkeypatch.setattr(turntable_files, "load_asset", lambda path: asset)
    code, _, error = render(*SMALL)
    assert code == 2
    assert "cannot be decoded" in error
    assert "--color clay" in error
    assert render(*SMALL, "--color", "clay")[0] == 0


@pytest.mark.parametrize(
    "arguments", [["--fov", "60"], ["--orthographic"], ["--up", "z"], ["--up=-y"]]
)
def test_cameras_can_be_chosen(render, tmp_path, arguments):
    assert render(*SMALL, *arguments)[0] == 0
    content = json.loads((tmp_path / "out" / "cameras.json").read_text())
    assert content["orthographic"] == (arguments == ["--orthographic"])


def test_rendered_coverage_is_data_to_train_on(render, tmp_path):
    render("--size", "32", "--views", "4", "--outputs", "coverage,color", "--supersampling", "1")
    views = load_mask_views(tmp_path / "out")
    expected = render_silhouettes(load_mesh(tmp_path / "box.ply"), views.cameras)
    torch.testing.assert_close(views.coverage, expected, atol=0.003, rtol=0)


def test_a_folder_can_be_written_to_again(render, tmp_path):
    assert render(*SMALL)[0] == render(*SMALL)[0] == 0


def test_what_is_odd_about_the_mesh_is_said(render, mesh_path, monkeypatch):
    monkeypatch.setattr(advice, "_given", set())
    save_mesh(cube().with_verts(-cube().verts), mesh_path)
    code, output, error = render(*SMALL, "--outputs", "normals")
    assert (code, error) == (0, "")
    assert "note: the mesh is inside out" in output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--size", "0"], "--size: must be pixels as in 512 or 1920x1080, up to 8192, got '0'"),
        (["--size", "9000x10"], "up to 8192"),
        (["--size", "big"], "got 'big'"),
        (["--views", "0"], "--views: must be a whole number from 1 to 3600, got '0'"),
        (["--views", "1.5"], "whole number"),
        (["--elevation", "nan"], "--elevation: must be a number from -90 to 90, got 'nan'"),
        (["--fov", "wide"], "--fov: must be a number from 1 to 170, got 'wide'"),
        (["--fov", "30", "--orthographic"], "not allowed with argument"),
        (
            ["--outputs", "color,colour"],
            "some of color,normals,depth,coverage,face_idx, got 'colour'",
        ),
        (["--outputs", ""], "got ''"),
        (["--background", "mauve"], "#rrggbb or one of white, black, grey, clay"),
        (["--shading", "phong"], "--shading"),
        (["--view", "3", "--nonsense"], "unrecognized arguments"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(render, arguments, text):
    code, output, error = render(*arguments)
    assert code == 2
    assert output == ""
    assert len(error.splitlines()) == 1
    assert error.startswith("error: ")
    assert text in error
    assert "--help" in error


def test_a_missing_mesh_is_refused(capsys, tmp_path):
    assert main([str(tmp_path / "none.obj"), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "none.obj: no such file" in error
    assert len(error.splitlines()) == 1


def test_a_file_without_a_surface_is_refused(render, mesh_path, tmp_path):
    mesh_path.write_text(
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\n"
        "property float y\nproperty float z\nend_header\n0 0 0\n"
    )
    code, _, error = render()
    assert code == 2
    assert "box.ply: no surface" in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_a_mesh_beyond_single_precision_is_refused(render, tmp_path, scale):
    box = cube()
    save_mesh(box.with_verts(box.verts * scale), tmp_path / "box.ply")
    code, _, error = render(*SMALL)
    assert code == 2
    assert f"its longest side is {scale:g}; scale it to 1e-12 to 1e+15" in error


@pytest.mark.parametrize("scale", [1e-10, 1e14])
def test_the_size_of_a_mesh_does_not_change_its_pictures(render, mesh_path, scale):
    pictures = []
    box = load_mesh(mesh_path)
    for factor in (1.0, scale):
        save_mesh(box.with_verts(box.verts * factor), mesh_path)
        assert render(*SMALL)[0] == 0
        with Image.open(mesh_path.parent / "out" / "color" / "000.png") as image:
            pictures.append(np.asarray(image).astype(int))
    assert pictures[0].std() > 10
    # Rounding of the scale moves outlines by less than a hundredth of a pixel.
    assert np.abs(pictures[0] - pictures[1]).max() <= 2


def test_a_mesh_without_area_is_refused(render, tmp_path):
    box = cube()
    save_mesh(box.with_verts(box.verts * torch.tensor([1.0, 0, 0]) + 1), tmp_path / "box.ply")
    code, _, error = render(*SMALL)
    assert code == 2
    assert "no face has an area" in error or "no surface" in error


def test_a_folder_that_is_a_file_is_refused(render, tmp_path):
    (tmp_path / "out").write_text("occupied")
    code, _, error = render(*SMALL)
    assert code == 2
    assert f"cannot write to {tmp_path / 'out'}" in error
    assert len(error.splitlines()) == 1


def test_a_missing_gpu_is_said(render, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, _, error = render("--device", "cuda")
    assert code == 2
    assert "no CUDA device" in error


def test_interrupting_leaves_no_trace_of_the_program(render, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lightning_rast.render.turntable_files.load_asset", interrupted)
    assert render() == (130, "", "stopped\n")


@pytest.mark.slow
def test_every_odd_mesh_is_rendered_or_refused(shared_data, tmp_path, capsys):
    kinds = (".obj", ".ply", ".glb", ".gltf", ".stl", ".off")
    paths = sorted(path for path in shared_data.rglob("*") if path.suffix.lower() in kinds)
    assert len(paths) > 50
    for path in paths:
        code = main([str(path), "--out", str(tmp_path), "--size", "32", "--views", "3"])
        captured = capsys.readouterr()
        if code == 0:
            views = [Image.open(tmp_path / "color" / f"00{view}.png") for view in range(3)]
            assert min(np.asarray(view).min() for view in views) < 240, path
        else:
            assert code == 2, path
            assert len(captured.err.splitlines()) == 1, captured.err
            assert str(path) in captured.err


def test_pictures_that_would_not_fit_in_memory_are_refused(render):
    code, _, error = render("--size", "4096", "--supersampling", "8")
    assert code == 2
    assert error.count("\n") == 1
    assert "lower one of them" in error


def test_a_mesh_inside_out_is_told_of_once(mesh_path, render, monkeypatch):
    monkeypatch.setattr(advice, "_given", set())
    box = load_mesh(mesh_path)
    save_mesh(box.__class__(box.verts, box.faces.flip(1)), mesh_path)
    code, out, _ = render(*SMALL, "--outputs", "color,normals")
    assert code == 0
    assert out.count("note: the mesh is inside out") == 1
    assert "faces.flip(1)" in out
