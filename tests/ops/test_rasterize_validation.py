"""What `rasterize` says to arguments that cannot be right."""

import math

import pytest
import torch

from lightning_rast.ops import rasterize
from tests.ops.contour_meshes import icosphere
from tests.ops.contour_views import seen_from

MESH = icosphere(1)
VERTS = seen_from(MESH.verts)
pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.mark.parametrize("shape", [(1, 42, 3), (1, 1, 42, 4), (4,)])
def test_shape_of_verts_clip(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"verts_clip must be \(N, V, 4\) or \(V, 4\)") as error:
        rasterize(torch.zeros(shape), MESH.faces, (4, 4))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32])
def test_dtype_of_verts_clip(dtype: torch.dtype):
    with pytest.raises(ValueError, match="verts_clip must be float32 or float64") as error:
        rasterize(torch.zeros(1, 42, 4, dtype=dtype), MESH.faces, (4, 4))
    assert f"got {dtype}; use verts_clip.float()" in str(error.value)


def test_dtype_of_faces():
    with pytest.raises(ValueError, match=r"got torch.int64 \(80, 3\); use faces.int\(\)"):
        rasterize(VERTS, MESH.faces.long(), (4, 4))


@pytest.mark.parametrize("shape", [(80,), (80, 4), (1, 80, 3)])
def test_shape_of_faces(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"faces must be int32 \(F, 3\)") as error:
        rasterize(VERTS, torch.zeros(shape).int(), (4, 4))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("vert", [-1, 42, 2**31 - 1])
@pytest.mark.parametrize("corner", range(3))
def test_faces_that_name_a_missing_vertex(vert: int, corner: int):
    faces = MESH.faces.clone()
    faces[33, corner] = vert
    with pytest.raises(ValueError, match=r"faces\[33\] = .*42 vertices") as error:
        rasterize(VERTS, faces, (4, 4))
    assert str(vert) in str(error.value)


def test_faces_outside_of_the_ranges_are_not_looked_at():
    faces = MESH.faces.clone()
    faces[33] = 999
    ranges = torch.tensor([[0, 33], [34, 80]])
    assert rasterize(VERTS[0], faces, (4, 4), face_ranges=ranges).face_idx.max() >= 0
    with pytest.raises(ValueError, match=r"faces\[33\]"):
        rasterize(VERTS[0], faces, (4, 4), face_ranges=torch.tensor([[0, 33], [33, 80]]))


@pytest.mark.parametrize("image_size", [(0, 4), (4, 0), (-1, 4), (2**16, 2**16), 4])
def test_image_size(image_size: tuple[int, int]):
    with pytest.raises(ValueError, match="image_size") as error:
        rasterize(VERTS, MESH.faces, image_size)
    assert str(image_size) in str(error.value)


@pytest.mark.parametrize("cull", ["both", "", None, 0])
def test_cull(cull: str):
    with pytest.raises(ValueError, match='cull must be "none", "back" or "front"') as error:
        rasterize(VERTS, MESH.faces, (4, 4), cull=cull)
    assert repr(cull) in str(error.value)


@pytest.mark.parametrize("num_layers", [0, -1, 2.0, True, "2"])
def test_num_layers(num_layers: int):
    with pytest.raises(ValueError, match="num_layers must be None or at least 1"):
        rasterize(VERTS, MESH.faces, (4, 4), num_layers=num_layers)


def test_packed_vertices_need_ranges():
    with pytest.raises(ValueError, match="needs face_ranges"):
        rasterize(VERTS[0], MESH.faces, (4, 4))


@pytest.mark.parametrize(
    "ranges", [torch.zeros(2, 2), torch.zeros(2).long(), torch.zeros(3, 2).long()]
)
def test_shape_of_face_ranges(ranges: torch.Tensor):
    verts_clip = torch.cat([VERTS, VERTS])
    with pytest.raises(ValueError, match=r"face_ranges must be int64 \(2, 2\)") as error:
        rasterize(verts_clip, MESH.faces, (4, 4), face_ranges=ranges)
    assert str(tuple(ranges.shape)) in str(error.value)


@pytest.mark.parametrize("wrong", [(-1, 3), (5, 4), (0, 81), (2**40, 2**40 + 1)])
def test_values_of_face_ranges(wrong: tuple[int, int]):
    ranges = torch.tensor([(0, 80), wrong])
    with pytest.raises(ValueError, match=r"face_ranges\[1\].*within 80 faces") as error:
        rasterize(VERTS[0], MESH.faces, (4, 4), face_ranges=ranges)
    assert str(wrong) in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("component", range(4))
def test_vertices_that_are_not_finite_are_named(component: int, value: float, dtype: torch.dtype):
    verts_clip = torch.cat([VERTS] * 3).to(dtype)
    verts_clip[1, 7, component] = value
    with pytest.raises(ValueError, match=r"verts_clip\[1, 7\].*finite"):
        rasterize(verts_clip, MESH.faces, (8, 8))


def test_packed_vertices_that_are_not_finite_are_named():
    verts_clip = VERTS[0].clone()
    verts_clip[7, 1] = math.nan
    with pytest.raises(ValueError, match=r"verts_clip\[7\].*finite"):
        rasterize(verts_clip, MESH.faces, (8, 8), face_ranges=torch.tensor([[0, 80], [3, 5]]))


@pytest.mark.parametrize("num_threads", [1, 4])
def test_the_first_bad_vertex_is_named(num_threads: int):
    before = torch.get_num_threads()
    verts_clip = torch.cat([VERTS] * 8)
    verts_clip[6, 3, 0] = math.nan
    verts_clip[2, 30, 1] = math.inf
    verts_clip[2, 11, 1] = math.nan
    try:
        torch.set_num_threads(num_threads)
        with pytest.raises(ValueError, match=r"verts_clip\[2, 11\]"):
            rasterize(verts_clip, MESH.faces, (8, 8))
    finally:
        torch.set_num_threads(before)


def test_the_op_works_after_an_error():
    good = rasterize(VERTS, MESH.faces, (8, 8))
    bad = VERTS.clone()
    bad[0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="finite"):
        rasterize(bad, MESH.faces, (8, 8))
    assert torch.equal(rasterize(VERTS, MESH.faces, (8, 8)).face_idx, good.face_idx)


def test_w_must_be_positive_in_front_of_the_near_plane():
    verts_clip = VERTS.clone()
    verts_clip[0, 5] = torch.tensor([0.1, 0.2, 3.0, -1.0])
    with pytest.raises(ValueError, match=r"verts_clip\[0, 5\].*w must be positive"):
        rasterize(verts_clip, MESH.faces, (8, 8))


def test_w_must_be_positive_where_the_near_plane_cuts():
    # No OpenGL projection: the edge from vertex 0 to vertex 1 meets z = -w at w = 0.
    verts_clip = torch.tensor([[[0.0, 0, 0, 1], [1, 0, 0, -1], [0, 1, 0, 1]]])
    with pytest.raises(ValueError, match=r"verts_clip\[0, \d\].*w must be positive"):
        rasterize(verts_clip, torch.tensor([[0, 1, 2]]).int(), (8, 8))


@pytest.mark.parametrize("name", ["faces", "face_ranges"])
def test_arguments_on_another_device(name: str):
    arguments = {"faces": MESH.faces, "face_ranges": torch.tensor([[0, 80]])}
    arguments[name] = arguments[name].to("meta")
    with pytest.raises(ValueError, match=f"verts_clip is on cpu, {name} on meta"):
        rasterize(VERTS, arguments["faces"], (8, 8), face_ranges=arguments["face_ranges"])


def test_more_layers_than_memory_can_hold_are_refused():
    verts_clip = torch.zeros(1, 3, 4)
    verts_clip[..., 3] = 1
    faces = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    with pytest.raises(MemoryError, match=r"needs .* GiB, this machine has .*fewer layers"):
        rasterize(verts_clip, faces, (4096, 4096), num_layers=10**6)
