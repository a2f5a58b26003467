"""What `contour_coverage` says to arguments that cannot be right."""

import gc
import math
import weakref
from types import SimpleNamespace

import pytest
import torch

from lightning_rast.ops import contour, contour_coverage
from lightning_rast.scene import Topology
from tests.ops.contour_meshes import icosphere
from tests.ops.contour_views import seen_from

MESH = icosphere(1)
pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.mark.parametrize("shape", [(42, 4), (1, 42, 3), (1, 1, 42, 4), (4,)])
def test_shape_of_verts_clip(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"verts_clip must be \(N, V, 4\)") as error:
        contour_coverage(torch.zeros(shape), MESH.topology, (4, 4))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32])
def test_dtype_of_verts_clip(dtype: torch.dtype):
    with pytest.raises(ValueError, match="verts_clip must be float32 or float64") as error:
        contour_coverage(torch.zeros(1, 42, 4, dtype=dtype), MESH.topology, (4, 4))
    assert str(dtype) in str(error.value)


def test_number_of_vertices():
    with pytest.raises(ValueError, match=r"41 vertices.* 42"):
        contour_coverage(torch.zeros(1, 41, 4), MESH.topology, (4, 4))


@pytest.mark.parametrize("image_size", [(0, 4), (4, 0), (-1, 4), (2**16, 2**16)])
def test_image_size(image_size: tuple[int, int]):
    with pytest.raises(ValueError, match="image_size") as error:
        contour_coverage(seen_from(MESH.verts), MESH.topology, image_size)
    assert str(image_size) in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("component", range(4))
@pytest.mark.parametrize("requires_grad", [False, True])
def test_vertices_that_are_not_finite_are_named(
    component: int, value: float, dtype: torch.dtype, requires_grad: bool
):
    verts_clip = torch.cat([seen_from(MESH.verts)] * 3).to(dtype)
    verts_clip[1, 7, component] = value
    with pytest.raises(ValueError, match=r"verts_clip\[1, 7\].*finite"):
        contour_coverage(verts_clip.requires_grad_(requires_grad), MESH.topology, (8, 8))


@pytest.mark.parametrize("num_threads", [1, 4])
def test_the_first_bad_vertex_is_named(num_threads: int):
    before = torch.get_num_threads()
    verts_clip = torch.cat([seen_from(MESH.verts)] * 8)
    verts_clip[6, 3, 0] = math.nan
    verts_clip[2, 30, 1] = math.inf
    verts_clip[2, 11, 1] = math.nan
    try:
        torch.set_num_threads(num_threads)
        with pytest.raises(ValueError, match=r"verts_clip\[2, 11\]"):
            contour_coverage(verts_clip, MESH.topology, (8, 8))
    finally:
        torch.set_num_threads(before)


def test_the_op_works_after_an_error():
    bad = seen_from(MESH.verts)
    good = contour_coverage(bad, MESH.topology, (8, 8))
    bad = bad.clone()
    bad[0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="finite"):
        contour_coverage(bad, MESH.topology, (8, 8))
    assert torch.equal(contour_coverage(seen_from(MESH.verts), MESH.topology, (8, 8)), good)


def test_w_must_be_positive_in_front_of_the_near_plane():
    verts_clip = seen_from(MESH.verts)
    verts_clip[0, 5] = torch.tensor([0.1, 0.2, 3.0, -1.0])
    with pytest.raises(ValueError, match=r"verts_clip\[0, 5\].*w must be positive"):
        contour_coverage(verts_clip, MESH.topology, (8, 8))


def test_topology_on_another_device():
    with pytest.raises(ValueError, match=r"topology\.to\(verts_clip\.device\)"):
        contour_coverage(seen_from(MESH.verts), MESH.topology.to("meta"), (8, 8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda verts, size: (verts[:, :-1], size), "vertices"),
        (lambda verts, size: (verts[..., :3], size), r"\(N, V, 4\)"),
        (lambda verts, size: (verts.half(), size), "float32 or float64"),
        (lambda verts, size: (verts, (0, 8)), "image_size"),
        (lambda verts, size: (verts, (8.0, 8)), "image_size"),
        (lambda verts, size: (verts, 8), "image_size"),
        (lambda verts, size: (verts, ([8], 8)), "image_size"),
    ],
)
def test_what_has_changed_since_a_good_call_is_checked(change, message: str):
    mesh = icosphere(1)
    verts_clip, topology = seen_from(mesh.verts), mesh.topology
    contour_coverage(verts_clip, topology, (8, 8))
    verts_clip, image_size = change(verts_clip, (8, 8))
    with pytest.raises(ValueError, match=message):
        contour_coverage(verts_clip, topology, image_size)


def test_a_size_may_be_any_pair_on_every_call():
    mesh = icosphere(1)
    verts_clip, topology = seen_from(mesh.verts), mesh.topology
    expected = contour_coverage(verts_clip, topology, (8, 9))
    for size in ([8, 9], torch.Size((8, 9)), [8, 9]):
        assert contour_coverage(verts_clip, topology, size).equal(expected)  # pyright: ignore[reportArgumentType]


def test_arguments_are_checked_once_for_a_topology():
    mesh = icosphere(1)
    verts_clip, topology = seen_from(mesh.verts), mesh.topology
    first, second = (contour._known_call(verts_clip, topology, (8, 9)) for _ in range(2))
    assert first is second


def test_a_topology_of_another_class_will_do():
    mesh = icosphere(1)
    other = SimpleNamespace(**vars(mesh.topology))
    expected = contour_coverage(seen_from(mesh.verts), mesh.topology, (8, 9))
    assert contour_coverage(seen_from(mesh.verts), other, (8, 9)).equal(expected)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("to", [torch.float16, torch.float64])
def test_hooks_that_give_back_another_dtype_are_named(to: torch.dtype):
    mesh = icosphere(1)
    verts_clip = seen_from(mesh.verts).float().requires_grad_()

    def as_other(tensor):
        return tensor.to(to) if tensor.is_floating_point() else tensor

    with torch.autograd.graph.saved_tensors_hooks(as_other, lambda tensor: tensor):
        coverage = contour_coverage(verts_clip, mesh.topology, (8, 9))
    with pytest.raises(RuntimeError, match="saved_tensors_hooks must give back"):
        coverage.sum().backward()


def test_calls_do_not_keep_a_topology():
    mesh = icosphere(1)
    topology = Topology.from_faces(mesh.faces, len(mesh.verts))
    contour_coverage(seen_from(mesh.verts), topology, (8, 8))
    alive = weakref.ref(topology)
    del topology
    gc.collect()
    assert alive() is None
