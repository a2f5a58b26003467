"""`Renderer`: mesh and cameras in, every image that was asked for out, gradients back."""

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from lightning_rast.ops import LightningRastWarning, advice
from lightning_rast.render import Lights, Renderer, Rendering, render_silhouettes, renderer
from lightning_rast.scene import Camera, Mesh, cube, grid, icosphere, quad, torus
from tests.render.filling_scene import filling, images

EYES = torch.tensor([[0.0, 0, 3], [3, 0.5, 0], [-1, 2, 2]])
PERSPECTIVE = Camera.look_at(EYES, fov_deg=60, image_size=(24, 32))
ORTHOGRAPHIC = Camera.orthographic_look_at(EYES, height=3, image_size=(24, 32))
both_lenses = pytest.mark.parametrize("camera", [PERSPECTIVE, ORTHOGRAPHIC])


@pytest.fixture
def nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "_given", set())


def bumpy(mesh: Mesh) -> Mesh:
    return mesh.with_verts(mesh.verts + 0.05 * torch.randn_like(mesh.verts))


def hit_points(camera: Camera, depth: Tensor) -> Tensor:
    """World positions of what is seen at the pixels' centres (N, H, W, 3)."""
    height, width = camera.image_size
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    pixels = torch.stack((x, y, torch.ones_like(x)), dim=2).double()
    rays = torch.einsum("nij,hwj->nhwi", torch.linalg.inv(camera.K), pixels)
    if camera.orthographic:
        in_view = torch.cat((rays[..., :2], depth[..., None].double()), dim=3)
    else:
        in_view = rays * depth[..., None]
    R, t = camera.world_to_view[:, :3, :3], camera.world_to_view[:, :3, 3]
    return torch.einsum("nji,nhwj->nhwi", R, in_view - t[:, None, None])


@pytest.mark.parametrize("antialias", [True, False])
def test_there_is_what_was_asked_for_and_nothing_else(antialias):
    for name in ("coverage", "depth", "normals", "color", "face_idx"):
        rendering = Renderer(outputs=(name,), antialias=antialias)(icosphere(1), PERSPECTIVE)
        assert list(images(rendering)) == [name]


def test_all_of_it_is_there_by_default():
    rendering = Renderer()(icosphere(1), PERSPECTIVE)
    assert {field.name for field in fields(Rendering)} == set(images(rendering))


def test_coverage_alone_is_not_rasterized(monkeypatch):
    monkeypatch.setattr(renderer, "rasterize", None)
    rendering = Renderer(outputs=("coverage",))(icosphere(1), PERSPECTIVE)
    assert torch.equal(rendering.coverage, render_silhouettes(icosphere(1), PERSPECTIVE))


def test_nothing_is_shaded_that_is_not_shown(monkeypatch):
    for name in ("shaded", "interpolate", "antialias", "contour_coverage"):
        monkeypatch.setattr(renderer, name, None)
    Renderer(outputs=("depth", "face_idx", "coverage"), antialias=False)(cube(), PERSPECTIVE)


def test_one_image_does_not_depend_on_which_others_are_made():
    mesh, colors = bumpy(icosphere(2)), torch.rand(162, 3)
    together = images(Renderer()(mesh, PERSPECTIVE, colors))
    for name, image in together.items():
        alone = images(Renderer(outputs=(name,))(mesh, PERSPECTIVE, colors))[name]
        assert torch.equal(image, alone)


@both_lenses
def test_views_do_not_see_each_other(camera):
    mesh, colors = bumpy(icosphere(2)), torch.rand(3, 162, 3)
    together = images(Renderer()(mesh, camera, colors))
    for view in range(3):
        alone = images(Renderer()(mesh, camera[view], colors[view : view + 1]))
        for name, image in together.items():
            assert torch.equal(image[view], alone[name][0])


@both_lenses
def test_depth_is_the_distance_along_the_axis(camera):
    mesh = bumpy(torus(24, 12)).to(torch.float64)
    rendering = Renderer(outputs=("depth", "face_idx"), antialias=False)(mesh, camera)
    seen = rendering.face_idx >= 0
    assert 0.1 < seen.double().mean() < 0.9
    # The point at that depth lies in the plane of its face.
    face = rendering.face_idx[seen].long()
    points = hit_points(camera, rendering.depth)[seen]
    away = ((points - mesh.corners[face, 0]) * mesh.face_normals[face]).sum(dim=1)
    assert away.abs().max() < 1e-9
    assert (rendering.depth[~seen] == 0).all()


@both_lenses
def test_smooth_normals_of_a_sphere_are_its_points_directions(camera):
    mesh = icosphere(4)
    rendering = Renderer(outputs=("normals", "depth", "face_idx"), antialias=False)(mesh, camera)
    seen = rendering.face_idx >= 0
    points = torch.nn.functional.normalize(hit_points(camera, rendering.depth)[seen], dim=1)
    assert (rendering.normals[seen] * points).sum(dim=1).min() > 0.9999
    torch.testing.assert_close(rendering.normals[seen].norm(dim=1), torch.ones(int(seen.sum())))
    assert (rendering.normals[~seen] == 0).all()


def test_flat_normals_are_the_faces_own():
    mesh = bumpy(icosphere(1))
    rendering = Renderer(outputs=("normals", "face_idx"), antialias=False, shading="flat")(
        mesh, PERSPECTIVE
    )
    seen = rendering.face_idx >= 0
    expected = mesh.face_normals[rendering.face_idx[seen].long()]
    torch.testing.assert_close(rendering.normals[seen], expected)


def test_creased_normals_are_flat_on_a_cube_and_smooth_on_a_sphere():
    for mesh, like in ((cube(), "flat"), (icosphere(3), "smooth")):
        creased, expected = (
            Renderer(outputs=("normals",), shading=shading)(mesh, PERSPECTIVE).normals
            for shading in ("creased", like)
        )
        torch.testing.assert_close(creased, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shading", ["smooth", "creased"])
def test_smooth_normals_are_weighted_as_asked_for(shading):
    # By angle, the normal at a cube's corner is its diagonal, however the sides are cut in two.
    camera = Camera.orthographic_look_at([[2.0, 2, 2]], height=0.5, image_size=(9, 9))
    diagonal = torch.ones(3) / 3**0.5
    at_corner = {
        weighting: Renderer(
            outputs=("normals",), shading=shading, crease_deg=100, weighting=weighting
        )(cube(), camera).normals[0, 4, 4]
        for weighting in ("area", "angle")
    }
    torch.testing.assert_close(at_corner["angle"], diagonal, rtol=0, atol=1e-4)
    assert (at_corner["area"] - diagonal).norm() > 0.1


def test_normals_say_which_side_is_the_outside():
    outside = Renderer(outputs=("normals",))(quad(), PERSPECTIVE[0]).normals
    behind = Renderer(outputs=("normals",))(quad(), replace_eye([0, 0, -3])).normals
    assert outside[0, 12, 16].tolist() == [0, 0, 1]
    assert behind[0, 12, 16].tolist() == [0, 0, 1]


def replace_eye(eye: list[float]) -> Camera:
    return Camera.look_at(eye, fov_deg=60, image_size=PERSPECTIVE.image_size)


@both_lenses
def test_unlit_colours_are_those_of_the_surface(camera):
    # Colours that are linear in space stay so in every picture, perspective or not.
    mesh = grid(2, 2, width=2, height=2).to(torch.float64)
    colors = mesh.verts[:, :2] * 0.3 + 0.5
    rendering = Renderer(outputs=("color", "depth", "face_idx"), lights=None, antialias=False)(
        mesh, camera, colors
    )
    seen = rendering.face_idx >= 0
    expected = hit_points(camera, rendering.depth)[seen][:, :2] * 0.3 + 0.5
    torch.testing.assert_close(rendering.color[seen], expected)


def test_a_surface_without_colours_has_the_albedo():
    rendering = Renderer(lights=None, albedo=(0.1, 0.2, 0.3, 0.4))(cube(), PERSPECTIVE)
    torch.testing.assert_close(rendering.color[0, 12, 16], torch.tensor([0.1, 0.2, 0.3, 0.4]))


def test_the_background_is_where_nothing_is():
    colors = torch.zeros(8, 3)
    for background, expected in ((0.5, [0.5] * 3), ((0.1, 0.2, 0.3), [0.1, 0.2, 0.3])):
        rendering = Renderer(background=background)(cube(), PERSPECTIVE, colors)
        nothing = rendering.color[rendering.coverage == 0]
        assert len(nothing) > 100
        torch.testing.assert_close(nothing, torch.tensor(expected).expand_as(nothing))


def test_at_outlines_surface_and_background_share_the_pixel():
    mesh, camera = quad(size=0.7).to(torch.float64), PERSPECTIVE[0]
    rendering = Renderer(lights=None, albedo=(1.0, 0.5), background=(0.0, 0.25))(mesh, camera)
    coverage = rendering.coverage[..., None]
    assert ((coverage > 0) & (coverage < 1)).sum() >= 16
    expected = coverage * torch.tensor([1.0, 0.5]) + (1 - coverage) * torch.tensor([0, 0.25])
    torch.testing.assert_close(rendering.color, expected)
    torch.testing.assert_close(rendering.depth, 3 * rendering.coverage)
    torch.testing.assert_close(rendering.normals, coverage * torch.tensor([0.0, 0, 1]))


def thin_plates() -> tuple[Mesh, Camera]:
    """Two plates with a slit between them and a wire above, a third and a quarter of a pixel wide,
    neither of which holds a pixel's centre; an orthographic picture of 1 px per unit."""
    corners = [
        [[-4, -3.2], [0.3, -3.2], [0.3, 0.3], [-4, 0.3]],
        [[0.63, -3.2], [3.2, -3.2], [3.2, 0.3], [0.63, 0.3]],
        [[-3.3, 2.1], [3.3, 2.1], [3.3, 2.35], [-3.3, 2.35]],
    ]
    verts = torch.tensor(corners, dtype=torch.float64).reshape(-1, 2)
    verts = torch.cat([verts, torch.zeros(len(verts), 1, dtype=torch.float64)], 1)
    quad_faces = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    mesh = Mesh(verts, torch.cat([quad_faces + 4 * i for i in range(3)]))
    return mesh, Camera.orthographic_look_at([0.0, 0, 3], height=8, image_size=(8, 8))


def test_slits_and_wires_that_no_centre_hits_are_averaged_too():
    mesh, camera = thin_plates()
    rendering = Renderer(lights=None, albedo=(1.0, 0.5), background=(0.0, 0.25))(mesh, camera)
    coverage = rendering.coverage[..., None]
    # The wire's row, the slit's column.
    assert (coverage[0, 1, 2:6] - 0.25).abs().max() < 1e-6
    assert (coverage[0, 5, 4] - 0.67).abs().max() < 1e-6
    assert (rendering.face_idx[0, 1] == -1).all()
    expected = coverage * torch.tensor([1.0, 0.5]) + (1 - coverage) * torch.tensor([0, 0.25])
    torch.testing.assert_close(rendering.color, expected, check_dtype=False)
    torch.testing.assert_close(rendering.depth, 3 * rendering.coverage)
    torch.testing.assert_close(
        rendering.normals, coverage * torch.tensor([0.0, 0, 1]), check_dtype=False
    )


def test_gradients_say_how_a_slit_and_a_wire_change_the_picture():
    mesh, camera = thin_plates()
    verts = mesh.verts.clone().requires_grad_()
    color = Renderer(outputs=("color",), lights=None, albedo=(1.0,), background=0.25)(
        mesh.with_verts(verts), camera
    ).color
    (grad,) = torch.autograd.grad(color.sum(), verts)
    # Widening a wire of 6.6 px by a unit on each side covers as many pixels more.
    wire = grad[8:]
    torch.testing.assert_close(wire[2:, 1].sum() - wire[:2, 1].sum(), 2 * 6.6 * 0.75 * one())
    # So does the slit's right side, 3.5 px long, moving to the left.
    torch.testing.assert_close(-grad[[4, 7], 0].sum(), 3.5 * 0.75 * one())


def one() -> Tensor:
    return torch.ones((), dtype=torch.float64)


def test_without_antialiasing_the_pixels_centres_decide():
    rendering = Renderer(antialias=False)(icosphere(2), PERSPECTIVE)
    assert torch.equal(rendering.coverage, (rendering.face_idx >= 0).float())


@both_lenses
def test_both_sides_of_a_surface_look_alike(camera):
    mesh = bumpy(grid(3, 3, width=2, height=2))
    sides = (mesh, Mesh(mesh.verts, mesh.faces.flip(1)))
    for shading in ("smooth", "flat"):
        one, other = (Renderer(outputs=("color",), shading=shading)(m, camera) for m in sides)
        assert one.color.max() > 0.3
        torch.testing.assert_close(one.color, other.color, atol=1e-5, rtol=0)


def test_smooth_surfaces_are_not_lit_from_behind_at_their_outline():
    # A coarse ball, lit from the camera only: its outline is dark all around.
    camera = Camera.orthographic_look_at([0.3, 0.2, 3], height=2.2, image_size=(64, 64))
    lights = Lights(ambient=0, headlight=1, sun=0)
    rendering = Renderer(lights=lights, albedo=(1.0,), antialias=False)(icosphere(1), camera)
    facing = -(rendering.normals @ camera.look_direction[0].float())
    grazing = (facing < -0.01) & (rendering.face_idx >= 0)
    assert grazing.sum() > 10
    assert (rendering.color[grazing] == 0).all()


def test_light_and_colour_are_multiplied():
    mesh, camera = icosphere(2), PERSPECTIVE
    colors = torch.rand(mesh.num_verts, 3)
    unlit, lit, white = (
        Renderer(outputs=("color",), lights=lights, antialias=False)(mesh, camera, values).color
        for lights, values in (
            (None, colors),
            (Lights(), colors),
            (Lights(), torch.ones_like(colors)),
        )
    )
    torch.testing.assert_close(lit, unlit * white)


@pytest.mark.filterwarnings("ignore:visibility gradients are missing")
@both_lenses
def test_gradients_reach_vertices_colours_and_cameras(camera):
    renderer = Renderer(outputs=("depth", "normals", "color"), antialias=False)
    small = replace(camera[0], image_size=(3, 4)).resized((3, 4))
    render, inputs = filling(renderer, small)
    assert gradcheck(render, inputs, atol=1e-5, fast_mode=True)


def test_gradients_at_outlines_are_those_of_the_coverage():
    mesh, camera = quad(size=0.7).to(torch.float64), PERSPECTIVE[0]
    weights = torch.randn(1, 24, 32).double()

    def gradient(outputs: tuple[str, ...]) -> Tensor:
        verts = mesh.verts.clone().requires_grad_()
        renderer = Renderer(outputs=outputs, lights=None, albedo=(0.6,), background=0.1)
        rendering = renderer(mesh.with_verts(verts), camera)
        image = rendering.color[..., 0] if "color" in outputs else rendering.coverage
        return torch.autograd.grad((image * weights).sum(), verts)[0]

    torch.testing.assert_close(gradient(("color",)), 0.5 * gradient(("coverage",)))


@both_lenses
def test_everything_has_the_same_bits_every_time(camera, device):
    mesh = bumpy(icosphere(4)).to(device)
    before, found = torch.get_num_threads(), set()
    try:
        for num_threads in (1, 2, 3, 3):
            torch.set_num_threads(num_threads)
            verts = mesh.verts.clone().requires_grad_()
            pose = camera.world_to_view.clone().to(device).requires_grad_()
            moved = replace(camera.to(device), world_to_view=pose)
            made = images(Renderer(shading="creased")(mesh.with_verts(verts), moved))
            sum(image.double().sin().sum() for image in made.values()).backward()
            tensors = (*made.values(), verts.grad, pose.grad)
            found.add(tuple(tensor.detach().cpu().numpy().tobytes() for tensor in tensors))
    finally:
        torch.set_num_threads(before)
    assert len(found) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_type_and_shape_follow_mesh_and_camera(dtype):
    made = images(Renderer()(cube().to(dtype), PERSPECTIVE))
    assert made.pop("face_idx").dtype == torch.int32
    for name, image in made.items():
        assert image.dtype == dtype
        assert image.shape[:3] == (3, 24, 32), name


def test_an_empty_mesh_shows_the_background():
    empty = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int32))
    for shading in ("smooth", "flat", "creased"):
        made = images(Renderer(background=0.5, shading=shading)(empty, PERSPECTIVE))
        assert (made.pop("face_idx") == -1).all()
        assert (made.pop("color") == 0.5).all()
        assert all((image == 0).all() for image in made.values())


def test_faces_behind_the_camera_are_cut_away():
    floor = quad(size=100).to(torch.float64)
    floor = floor.with_verts(floor.verts[:, [0, 2, 1]] - torch.tensor([0.0, 1, 0]))
    rendering = Renderer(outputs=("depth",), antialias=False)(floor, replace_eye([0, 0.5, 3]))
    depth = rendering.depth[0, :, 16]
    assert depth[-1] > 0
    assert depth[0] == 0
    in_sight = depth[depth > 0]
    assert (in_sight.diff() < 0).all()


def test_seams_are_warned_of_where_gradients_would_suffer(nothing_said_yet):
    mesh = icosphere(1)
    split = Mesh(mesh.corners.reshape(-1, 3), torch.arange(240).reshape(-1, 3))
    Renderer()(split, PERSPECTIVE)
    with pytest.warns(LightningRastWarning, match="weld"):
        Renderer()(split.with_verts(split.verts.requires_grad_()), PERSPECTIVE)


def test_normals_of_a_mesh_inside_out_are_warned_of(nothing_said_yet):
    with pytest.warns(LightningRastWarning, match="inside out"):
        Renderer(outputs=("normals",))(Mesh(cube().verts, cube().faces.flip(1)), PERSPECTIVE)
