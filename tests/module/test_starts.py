"""What is said of the mesh that a training starts from."""

import warnings
from dataclasses import replace

import pytest
import torch

from lightning_rast.config import Config
from lightning_rast.data import ViewsError, orbit_cameras, synthetic_views, view_directions
from lightning_rast.ops.advice import LightningRastWarning
from lightning_rast.scene import Camera, Mesh, icosphere, save_mesh, torus
from lightning_rast.training import make_module

RING = torus(32, 16)


@pytest.fixture
def views():
    cameras = orbit_cameras(RING, view_directions("fibonacci", 6), image_size=48)
    return synthetic_views(RING, cameras)


@pytest.fixture
def start(tmp_path):
    """Makes a config that starts with a mesh."""

    def of(mesh: Mesh) -> Config:
        save_mesh(mesh, tmp_path / "start.ply")
        config = Config(name="test", device="cpu")
        config.start.kind, config.start.mesh = "mesh", str(tmp_path / "start.ply")
        return config

    return of


def test_a_start_in_another_frame_is_refused(start, views):
    with pytest.raises(ViewsError, match="none of the 6 masks"):
        make_module(start(RING.with_verts(RING.verts + 30)), views)


def test_nothing_is_said_of_a_good_one(start, views):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_module(start(RING), views)


@pytest.mark.parametrize(
    ("faces", "expected"),
    [
        (RING.faces[:-1], "is open"),
        (RING.faces[[*range(len(RING.faces)), 0]], "is no oriented manifold"),
    ],
)
def test_what_stages_will_leave_alone_is_told(start, views, faces, expected):
    with pytest.warns(LightningRastWarning, match=f"the start mesh {expected}"):
        make_module(start(Mesh(RING.verts, faces)), views)


def test_a_start_that_hardly_overlaps_is_told_of(start, views):
    with pytest.warns(LightningRastWarning, match="hardly overlaps"):
        make_module(start(icosphere(1, radius=0.05, center=(0.0, 0.0, 1.0))), views)


def test_a_start_that_touches_itself_is_cut_apart(start, views):
    # A second ring touches the first in its outermost vertex.
    far = int(RING.verts[:, 0].argmax())
    other = RING.verts * torch.tensor([-1.0, 1.0, 1.0])
    other = other - other[far] + RING.verts[far]
    faces = torch.cat((RING.faces, RING.faces.flip(1) + RING.num_verts))
    both = Mesh(torch.cat((RING.verts, other)), faces).weld()
    assert not both.topology.is_manifold
    with pytest.warns(LightningRastWarning, match="cut apart at 1 vertices"):
        module = make_module(start(both), views)
    assert module.mesh().topology.is_manifold


@pytest.mark.parametrize("is_resumed", [False, True])
def test_cameras_that_mirror_the_world_are_told_of_once(start, views, is_resumed):
    cameras = views.cameras
    P = cameras.K @ cameras.world_to_view[:, :3] * torch.tensor([1.0, 1, -1, 1])
    mirroring = Camera.from_projection_matrix(P, cameras.image_size, pixel_centers="half")
    flipped = Mesh(RING.verts * torch.tensor([1.0, 1, -1]), RING.faces.flip(1))
    with pytest.warns(LightningRastWarning) as caught:
        make_module(start(flipped), replace(views, cameras=mirroring), is_resumed=is_resumed)
    [text] = [str(one.message) for one in caught]
    assert "all 6 cameras mirror the world" in text
