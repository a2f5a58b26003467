"""Warnings appear once in the bad case, point at the user's line, and stay away in good cases."""

import inspect
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from lightning_rast import ops
from lightning_rast.ops import (
    LightningRastWarning,
    advice,
    antialias,
    contour_coverage,
    visible_faces,
)
from lightning_rast.scene import Camera, Mesh, cylinder, icosphere


class Fragments(NamedTuple):
    face_idx: Tensor
    bary: Tensor
    depth: Tensor


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "_given", set())
    monkeypatch.setattr(advice, "_looked_at", {})


@pytest.fixture
def silence() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", LightningRastWarning)
        yield


def only_warning(work: Callable[[], None]) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        work()
    ours = [str(found.message) for found in caught if found.category is LightningRastWarning]
    assert len(ours) == 1
    return ours[0]


def fragments_of(verts_clip: Tensor, num_views: int = 2) -> Fragments:
    """A picture whose weights hang on the vertices as those of a rasterizer do."""
    bary = verts_clip[:3, :3].softmax(dim=1).expand(num_views, 4, 3, 3) * 1.0
    depth = verts_clip[0, 3] * torch.ones(num_views, 4, 3)
    fragments = Fragments(torch.zeros(num_views, 4, 3, dtype=torch.int32), bary, depth)
    advice.watch_fragments(fragments)
    return fragments


def hard_loss(fragments: Fragments) -> Tensor:
    image = fragments.bary * 2
    advice.watch_hard_image(image, fragments)
    return image.square().sum()


@pytest.fixture
def verts_clip() -> Tensor:
    return torch.rand(3, 4, requires_grad=True)


def test_a_hard_image_in_a_loss_warns_once(verts_clip: Tensor):
    def fit() -> None:
        for _ in range(2):
            hard_loss(fragments_of(verts_clip)).backward()

    assert "antialias(image" in only_warning(fit)


def test_two_hard_images_in_one_loss_warn_once(verts_clip: Tensor):
    def fit() -> None:
        (hard_loss(fragments_of(verts_clip)) + hard_loss(fragments_of(verts_clip))).backward()

    only_warning(fit)


def test_face_numbers_that_are_watched_can_be_saved_and_loaded(verts_clip: Tensor, tmp_path: Path):
    fragments = fragments_of(verts_clip)
    torch.save({"face_idx": fragments.face_idx}, tmp_path / "picture.pt")
    loaded = torch.load(tmp_path / "picture.pt")  # plain types only, by default
    assert torch.equal(loaded["face_idx"], fragments.face_idx)


def test_what_the_advice_names_can_be_imported(verts_clip: Tensor):
    text = only_warning(lambda: hard_loss(fragments_of(verts_clip)).backward())
    for name in ("antialias", "contour_coverage", "mark_antialiased"):
        assert f"{name}(" in text
        assert hasattr(ops, name)


def test_a_hard_depth_in_a_loss_warns(verts_clip: Tensor):
    fragments = fragments_of(verts_clip)
    advice.watch_hard_image(fragments.depth, fragments)
    with pytest.warns(LightningRastWarning, match="visibility gradients are missing"):
        fragments.depth.sum().backward()


def test_the_warning_points_at_the_line_that_made_the_image(
    verts_clip: Tensor, monkeypatch: pytest.MonkeyPatch
):
    # Frames of the shape checks, which only tests have, would lie between.
    for name in ("calling_place", "watch_hard_image"):
        monkeypatch.setattr(advice, name, inspect.unwrap(getattr(advice, name)))
    with pytest.warns(LightningRastWarning) as caught:
        hard_loss(fragments_of(verts_clip)).backward()
    assert caught[0].filename == __file__


@pytest.mark.usefixtures("silence")
def test_an_antialiased_image_does_not_warn(verts_clip: Tensor):
    fragments = fragments_of(verts_clip)
    loss = hard_loss(fragments)
    advice.mark_antialiased(fragments)
    loss.backward()


@pytest.mark.usefixtures("silence")
def test_antialiasing_parts_of_a_batch_is_enough(verts_clip: Tensor):
    fragments = fragments_of(verts_clip)
    loss = hard_loss(fragments)
    for view in range(2):
        advice.mark_antialiased(Fragments(*(field[view : view + 1] for field in fragments)))
    loss.backward()


def test_antialiasing_another_picture_is_not_enough(verts_clip: Tensor):
    loss = hard_loss(fragments_of(verts_clip))
    advice.mark_antialiased(fragments_of(verts_clip))
    with pytest.warns(LightningRastWarning):
        loss.backward()


@pytest.mark.usefixtures("silence")
def test_fixed_vertices_do_not_warn(verts_clip: Tensor):
    fragments = fragments_of(verts_clip.detach())
    colour = torch.rand(3, requires_grad=True)
    image = fragments.bary * colour
    advice.watch_hard_image(image, fragments)
    image.sum().backward()
    assert colour.grad is not None


@pytest.mark.usefixtures("silence")
def test_weights_taken_as_constant_do_not_warn(verts_clip: Tensor):
    fragments = fragments_of(verts_clip)
    colour = torch.rand(3, requires_grad=True)
    constant = fragments._replace(bary=fragments.bary.detach())
    image = constant.bary * colour
    advice.watch_hard_image(image, constant)
    image.sum().backward()
    assert colour.grad is not None


@pytest.mark.usefixtures("silence")
def test_fragments_from_elsewhere_do_not_warn(verts_clip: Tensor):
    fragments = fragments_of(verts_clip)
    hard_loss(fragments._replace(face_idx=fragments.face_idx.clone())).backward()


@pytest.mark.usefixtures("silence")
def test_an_image_that_no_gradient_reaches_does_not_warn(verts_clip: Tensor):
    fragments = fragments_of(verts_clip)
    hard_loss(fragments)
    # Gradients of its brother reach the operator that made both.
    advice.watch_hard_image(fragments.depth, fragments)
    with torch.no_grad():
        hard_loss(fragments)
    verts_clip.sum().backward()


@pytest.mark.usefixtures("silence")
def test_watching_compiles_into_one_graph(verts_clip: Tensor):
    def loss(verts_clip: Tensor) -> Tensor:
        fragments = fragments_of(verts_clip)
        value = hard_loss(fragments)
        advice.mark_antialiased(fragments)
        return value

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")(verts_clip)
    compiled.backward()
    torch.testing.assert_close(compiled, loss(verts_clip))


def test_the_watch_ends_with_the_fragments(verts_clip: Tensor):
    fragments = fragments_of(verts_clip)
    watch = getattr(fragments.face_idx, advice._WATCH)
    held = sys.getrefcount(watch)
    del fragments
    assert sys.getrefcount(watch) == held - 1


def split_at_a_seam(mesh: Mesh) -> Mesh:
    """The same surface with the vertices of faces beyond x = 0 repeated for them."""
    beyond = mesh.verts[mesh.faces.long()].mean(dim=1)[:, 0] > 0
    faces = torch.where(beyond[:, None], mesh.faces + mesh.num_verts, mesh.faces)
    return Mesh(torch.cat((mesh.verts, mesh.verts)), faces)


def test_seams_of_repeated_vertices_warn_once():
    def look() -> None:
        for subdivisions in (1, 2):
            mesh = split_at_a_seam(icosphere(subdivisions))
            advice.warn_about_seams(mesh.verts, mesh.topology)

    assert "Mesh.weld()" in only_warning(look)


def test_seams_are_counted():
    # 1---3 5
    # | \ |/|   the edge 1-2 is there twice: as 1-2 and as 3-4
    # 0---2 4
    verts = torch.tensor([[0, 0, 0], [0, 1, 0], [1, 0, 0], [-0.0, 1, 0], [1, 0, -0.0], [1, 1, 0]])
    mesh = Mesh(verts, torch.tensor([[0, 2, 1], [4, 5, 3]]))
    with pytest.warns(LightningRastWarning, match="2 of 6 boundary edges"):
        advice.warn_about_seams(mesh.verts, mesh.topology)


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("kind", ["closed", "open", "welded", "points", "empty"])
def test_meshes_without_seams_do_not_warn(kind: str):
    sphere = icosphere(2)
    mesh = {
        "closed": sphere,
        "open": Mesh(sphere.verts, sphere.faces[7:]),
        "welded": split_at_a_seam(sphere).weld(),
        "points": Mesh(torch.zeros(6, 3), torch.arange(6).reshape(2, 3)),
        "empty": Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int32)),
    }[kind]
    advice.warn_about_seams(mesh.verts, mesh.topology)


def test_a_topology_is_looked_at_once(monkeypatch: pytest.MonkeyPatch):
    sphere, looks = icosphere(1), []
    monkeypatch.setattr(advice, "_find_seams", lambda verts, topology: looks.append(topology))
    for _ in range(3):
        advice.warn_about_seams(sphere.verts, sphere.topology)
    assert looks == [sphere.topology]


def test_a_mesh_inside_out_warns_once():
    def look() -> None:
        for subdivisions in (1, 2):
            sphere = icosphere(subdivisions)
            mesh = Mesh(sphere.verts + 100, sphere.faces.flip(1))
            advice.warn_about_inside_out(mesh.verts, mesh.topology)

    assert "faces.flip(1)" in only_warning(look)


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("kind", ["outward", "open", "not_oriented", "empty"])
def test_meshes_not_known_to_be_inside_out_do_not_warn(kind: str):
    sphere = icosphere(2)
    inward = sphere.faces.flip(1)
    mesh = {
        "outward": sphere,
        "open": Mesh(sphere.verts, inward[1:]),
        "not_oriented": Mesh(sphere.verts, torch.cat((inward[1:], sphere.faces[:1]))),
        "empty": Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int32)),
    }[kind]
    advice.warn_about_inside_out(mesh.verts, mesh.topology)


# --- The operators themselves ---------------------------------------------------------------------

CAMERAS = {
    "perspective": Camera.look_at([[0.3, 1, 3]], fov_deg=40, image_size=(16, 16)),
    "orthographic": Camera.orthographic_look_at([[0.3, 1, 3]], height=3, image_size=(16, 16)),
}
all_cameras = pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)


def antialiased(mesh: Mesh, camera: Camera, cull: Any = "none") -> Tensor:
    verts_clip = camera.world_to_clip(mesh.verts)
    seen = visible_faces(verts_clip, mesh.faces, camera.image_size, cull=cull)
    return antialias(seen.coverage[..., None], seen, verts_clip, mesh.topology, cull=cull)


def covered(mesh: Mesh, camera: Camera) -> Tensor:
    return contour_coverage(camera.world_to_clip(mesh.verts), mesh.topology, camera.image_size)


def to_be_fitted(mesh: Mesh) -> Mesh:
    return mesh.with_verts(mesh.verts.clone().requires_grad_())


@all_cameras
@pytest.mark.parametrize("draw", [antialiased, covered])
def test_operators_tell_of_seams_that_a_fit_would_open(draw: Callable, camera: Camera):
    mesh = to_be_fitted(split_at_a_seam(icosphere(2)))

    def look() -> None:
        for _ in range(2):
            draw(mesh, camera)

    assert "Mesh.weld()" in only_warning(look)


@pytest.mark.usefixtures("silence")
@all_cameras
@pytest.mark.parametrize("draw", [antialiased, covered])
def test_operators_say_nothing_of_seams_without_a_fit_nor_of_whole_meshes(
    draw: Callable, camera: Camera
):
    draw(split_at_a_seam(icosphere(2)), camera)
    for mesh in (icosphere(2), Mesh(icosphere(2).verts, icosphere(2).faces[7:])):
        draw(to_be_fitted(mesh), camera)


@all_cameras
def test_culling_the_front_of_a_mesh_inside_out_warns_once(camera: Camera):
    sphere = icosphere(2)
    inside_out = Mesh(sphere.verts, sphere.faces.flip(1))

    def look() -> None:
        for _ in range(2):
            antialiased(inside_out, camera, "back")

    assert "faces.flip(1)" in only_warning(look)


@pytest.mark.usefixtures("silence")
@all_cameras
def test_culling_does_not_warn_otherwise(camera: Camera):
    sphere = icosphere(2)
    inside_out = Mesh(sphere.verts, sphere.faces.flip(1))
    for cull in ("none", "front"):
        antialiased(inside_out, camera, cull)
    antialiased(sphere, camera, "back")


@pytest.mark.usefixtures("silence")
def test_a_room_around_the_camera_does_not_warn():
    sphere = icosphere(2)
    room = Mesh(4 * sphere.verts, sphere.faces.flip(1))
    antialiased(room, CAMERAS["perspective"], "back")


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("distance", [3e3, 3e4])
def test_culling_does_not_warn_of_meshes_seen_from_afar(distance: float):
    sphere = icosphere(2)
    for angle in torch.linspace(0, 6, 8).tolist():
        eye = [[distance * math.cos(angle), 0.3 * distance, distance * math.sin(angle)]]
        camera = Camera.look_at(eye, fov_deg=40, image_size=(16, 16))
        topology = Mesh(sphere.verts, sphere.faces).topology
        advice.warn_about_culled_front(camera.world_to_clip(sphere.verts), topology)


def test_culling_warns_of_meshes_inside_out_from_afar():
    sphere = icosphere(2)
    mesh = Mesh(sphere.verts, sphere.faces.flip(1))
    camera = Camera.look_at([[1e3, 2e3, 2e3]], fov_deg=40, image_size=(16, 16))
    with pytest.warns(LightningRastWarning, match="inside out"):
        advice.warn_about_culled_front(camera.world_to_clip(mesh.verts), mesh.topology)


@pytest.mark.usefixtures("silence")
@all_cameras
def test_closed_meshes_without_thickness_are_not_inside_out(camera: Camera):
    flat = icosphere(2).verts * torch.tensor([1.0, 1.0, 0.0])
    for seed in range(16):
        generator = torch.Generator().manual_seed(seed)
        turn = torch.linalg.qr(torch.randn(3, 3, generator=generator)).Q
        mesh = Mesh(flat @ turn, icosphere(2).faces)
        advice.warn_about_inside_out(mesh.verts, mesh.topology)
        advice.warn_about_culled_front(camera.world_to_clip(mesh.verts), mesh.topology)


@pytest.mark.usefixtures("silence")
def test_edges_on_one_another_in_the_plane_are_no_seams():
    solid = cylinder(8)
    tube = Mesh(solid.verts, solid.faces[:16])  # without its caps, seen along its axis
    along = tube.verts[:, [0, 2]].requires_grad_()
    verts_clip = torch.cat((along, torch.zeros(len(along), 1), torch.ones(len(along), 1)), dim=1)
    contour_coverage(verts_clip[None], tube.topology, (16, 16))
