"""What `antialias` says to arguments that cannot be right."""

import math

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import Fragments, antialias, rasterize
from tests.ops.contour_meshes import icosphere
from tests.ops.contour_views import seen_from

MESH = icosphere(1)
pytestmark = pytest.mark.usefixtures("unchecked")


def fragments_of(face_idx: Tensor) -> Fragments:
    return Fragments(face_idx, torch.zeros(0), torch.zeros(0))


FRAGMENTS = fragments_of(torch.full((1, 5, 6), -1, dtype=torch.int32))
VERTS = seen_from(MESH.verts)
IMAGE = torch.zeros(1, 5, 6, 3, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(1, 5, 6), (1, 6, 5, 3), (2, 5, 6, 3), (5, 6, 3)])
def test_shape_of_image(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"image must be \(1, 5, 6, 'C'\)") as error:
        antialias(torch.zeros(shape).double(), FRAGMENTS, VERTS, MESH.topology)
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("shape", [(42, 4), (1, 42, 3), (1, 1, 42, 4)])
def test_shape_of_verts_clip(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"verts_clip must be \(N, V, 4\)") as error:
        antialias(IMAGE, FRAGMENTS, torch.zeros(shape).double(), MESH.topology)
    assert str(shape) in str(error.value)


def test_number_of_views():
    with pytest.raises(ValueError, match="verts_clip holds 2 views, face_idx 1"):
        antialias(IMAGE, FRAGMENTS, VERTS.expand(2, -1, -1), MESH.topology)


def test_number_of_vertices():
    with pytest.raises(ValueError, match=r"41 vertices.* 42"):
        antialias(IMAGE, FRAGMENTS, VERTS[:, :41], MESH.topology)


@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("float64", "float32"), ("int32",) * 2])
def test_dtypes_must_agree(dtypes: tuple[str, str]):
    image, verts = (
        x.to(getattr(torch, name)) for x, name in zip((IMAGE, VERTS), dtypes, strict=True)
    )
    with pytest.raises(ValueError, match="image and verts_clip must both be") as error:
        antialias(image, FRAGMENTS, verts, MESH.topology)
    assert f"torch.{dtypes[0]}" in str(error.value)


@pytest.mark.parametrize(
    "face_idx",
    [torch.zeros(1, 2, 5, 6, dtype=torch.int32), torch.zeros(1, 5, 6, dtype=torch.int64)],
)
def test_face_idx(face_idx: Tensor):
    with pytest.raises(ValueError, match=r"face_idx must be int32 \(N, H, W\)"):
        antialias(IMAGE, fragments_of(face_idx), VERTS, MESH.topology)


def test_fragments_must_be_fragments():
    with pytest.raises(TypeError, match="fragments must have a tensor face_idx"):
        antialias(IMAGE, IMAGE, VERTS, MESH.topology)  # pyright: ignore[reportArgumentType]


def test_topology_must_be_one():
    with pytest.raises(TypeError, match=r"topology must be a .*Topology, got Tensor"):
        antialias(IMAGE, FRAGMENTS, VERTS, MESH.faces)  # pyright: ignore[reportArgumentType]


def test_devices_must_agree():
    with pytest.raises(ValueError, match="image is on meta, verts_clip on cpu"):
        antialias(IMAGE.to("meta"), FRAGMENTS, VERTS, MESH.topology)


@pytest.mark.parametrize("face", [80, -2, 2**31 - 1])
def test_faces_that_are_not_there_are_named(face: int):
    face_idx = torch.full((2, 5, 6), -1, dtype=torch.int32)
    face_idx[1, 3, 4] = face
    verts_clip = VERTS.expand(2, -1, -1)
    with pytest.raises(ValueError, match=rf"face_idx\[1, 3, 4\] = {face}, but .* 80 faces"):
        antialias(IMAGE.expand(2, -1, -1, -1), fragments_of(face_idx), verts_clip, MESH.topology)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("component", range(4))
def test_vertices_that_are_not_finite_are_named(component: int, value: float, dtype: torch.dtype):
    verts_clip = torch.cat([VERTS] * 3).to(dtype)
    verts_clip[1, 7, component] = value
    face_idx = torch.full((3, 5, 6), -1, dtype=torch.int32)
    image = torch.zeros(3, 5, 6, 1, dtype=dtype)
    with pytest.raises(ValueError, match=r"antialias: verts_clip\[1, 7\].*finite"):
        antialias(image, fragments_of(face_idx), verts_clip, MESH.topology)


def test_w_must_be_positive_in_front_of_the_near_plane():
    verts_clip = VERTS.clone()
    verts_clip[0, 5] = torch.tensor([0.0, 0.0, 1.0, -0.5])
    with pytest.raises(ValueError, match=r"verts_clip\[0, 5\].*w must be positive"):
        antialias(IMAGE, FRAGMENTS, verts_clip, MESH.topology)


def test_the_op_works_after_an_error():
    fragments = rasterize(VERTS, MESH.faces, (5, 6))
    image = torch.rand(1, 5, 6, 3, dtype=torch.float64)
    good = antialias(image, fragments, VERTS, MESH.topology)
    bad = VERTS.clone()
    bad[0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="finite"):
        antialias(image, fragments, bad, MESH.topology)
    assert torch.equal(antialias(image, fragments, VERTS, MESH.topology), good)
