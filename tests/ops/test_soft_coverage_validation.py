"""What `soft_coverage` says to arguments that cannot be right."""

import math

import pytest
import torch

from lightning_rast.ops import soft_coverage
from tests.ops.contour_meshes import icosphere
from tests.ops.contour_views import seen_from

VERTS, FACES = icosphere(1)
pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.mark.parametrize("shape", [(42, 4), (1, 42, 3), (1, 1, 42, 4)])
def test_shape_of_verts_clip(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"verts_clip must be \(N, V, 4\)") as error:
        soft_coverage(torch.zeros(shape), FACES, (4, 4), sigma=1.0)
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.int32])
def test_dtype_of_verts_clip(dtype: torch.dtype):
    with pytest.raises(ValueError, match="verts_clip must be float32 or float64") as error:
        soft_coverage(torch.zeros(1, 42, 4, dtype=dtype), FACES, (4, 4), sigma=1.0)
    assert str(dtype) in str(error.value)


def test_dtype_and_shape_of_faces():
    for faces in (FACES.long(), FACES[:, :2], FACES[0]):
        with pytest.raises(ValueError, match=r"faces must be int32 \(F, 3\), got") as error:
            soft_coverage(seen_from(VERTS), faces, (4, 4), sigma=1.0)
        assert str(tuple(faces.shape)) in str(error.value)


def test_device_of_faces():
    with pytest.raises(ValueError, match="verts_clip is on cpu, faces on meta"):
        soft_coverage(seen_from(VERTS), FACES.to("meta"), (4, 4), sigma=1.0)


@pytest.mark.parametrize("vertex", [-1, 42])
def test_faces_of_vertices_that_are_not_there(vertex: int):
    faces = FACES.clone()
    faces[7, 1] = vertex
    with pytest.raises(ValueError, match=r"faces\[7\] = .* verts_clip holds 42"):
        soft_coverage(seen_from(VERTS), faces, (4, 4), sigma=1.0)


@pytest.mark.parametrize("image_size", [(0, 4), (4, 0), (2**16, 2**16)])
def test_image_size(image_size: tuple[int, int]):
    with pytest.raises(ValueError, match="image_size") as error:
        soft_coverage(seen_from(VERTS), FACES, image_size, sigma=1.0)
    assert str(image_size) in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "semantics"),
    [
        ("sigma", 0.0, "pixel"),
        ("sigma", -1.0, "softras"),
        ("sigma", math.nan, "pytorch3d"),
        ("cutoff", 0.0, "pixel"),
        ("cutoff", 0.5, "softras"),
        ("blur_radius", -1e-3, "pytorch3d"),
        ("blur_radius", math.inf, "pytorch3d"),
        ("blur_radius", 1e-3, "pixel"),
        ("faces_per_pixel", 0, "pytorch3d"),
        ("faces_per_pixel", 2.5, "pytorch3d"),
        ("faces_per_pixel", 50, "softras"),
        ("semantics", "soft", "soft"),
    ],
)
def test_numbers_and_names(name: str, value: object, semantics: str):
    options: dict = {"sigma": 1.0, "semantics": semantics} | {name: value}
    with pytest.raises(ValueError, match=f"soft_coverage: {name} "):
        soft_coverage(seen_from(VERTS), FACES, (4, 4), **options)


def test_sigma_takes_no_gradient_so_it_must_not_be_a_tensor():
    with pytest.raises(TypeError, match="soft_coverage: sigma must be a number"):
        soft_coverage(seen_from(VERTS), FACES, (4, 4), sigma=torch.tensor(1.0))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("component", range(4))
def test_vertices_that_are_not_finite_are_named(component: int, value: float, dtype: torch.dtype):
    verts_clip = torch.cat([seen_from(VERTS)] * 3).to(dtype)
    verts_clip[1, 7, component] = value
    with pytest.raises(ValueError, match=r"verts_clip\[1, 7\].*finite"):
        soft_coverage(verts_clip, FACES, (8, 8), sigma=1.0)


@pytest.mark.parametrize("num_threads", [1, 4])
def test_the_first_bad_vertex_is_named(num_threads: int):
    torch.set_num_threads(num_threads)
    verts_clip = torch.cat([seen_from(VERTS)] * 8)
    verts_clip[6, 3, 0] = math.nan
    verts_clip[2, 30, 1] = math.inf
    verts_clip[2, 11, 1] = math.nan
    with pytest.raises(ValueError, match=r"verts_clip\[2, 11\]"):
        soft_coverage(verts_clip, FACES, (8, 8), sigma=1.0)


def test_w_must_be_positive_in_front_of_the_near_plane():
    verts_clip = seen_from(VERTS)
    verts_clip[0, 5] = torch.tensor([0.1, 0.2, 3.0, -1.0])
    with pytest.raises(ValueError, match=r"verts_clip\[0, 5\].*w must be positive"):
        soft_coverage(verts_clip, FACES, (8, 8), sigma=1.0)
