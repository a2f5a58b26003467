"""The binding of the remesher; `lightning_rast.optim.remesh` is what to call."""

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int32
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import raise_status

_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_REPEATED, _EDGE, _WINDING, _PINCHED, _TWICE, _TOO_MANY = 1, 2, 5, 6, 7, 8


@dataclass(frozen=True)
class RemeshedArrays:
    """What the remesher returns; row v of the sources says where on the input vertex v lies."""

    verts: Float64[Tensor, "V 3"]
    faces: Int32[Tensor, "F 3"]
    source_verts: Int32[Tensor, "V 3"]  # vertices of the input, and
    source_weights: Float64[Tensor, "V 3"]  # their weights: not negative, of sum 1
    num_splits: int
    num_collapses: int
    num_flips: int


def remesh_arrays(
    verts: Float64[Tensor, "V 3"],
    faces: Int32[Tensor, "F 3"],
    target: Float64[Tensor, " V"],
    iterations: int,
    balance: bool,
) -> RemeshedArrays:
    """See `optim.remesh`, which checks what comes in here.

    Raises:
        ValueError: the faces are not an oriented manifold, or the result would be huge.
    """
    verts, faces, target = (table.contiguous() for table in (verts, faces, target))
    handle = ctypes.c_void_p()
    sizes, counts, where = (ctypes.c_int64 * 2)(), (ctypes.c_int64 * 3)(), (ctypes.c_int64 * 3)()
    status = _remesh_function()(
        verts.data_ptr(),
        len(verts),
        faces.data_ptr(),
        len(faces),
        target.data_ptr(),
        iterations,
        balance,
        torch.get_num_threads(),
        ctypes.byref(handle),
        sizes,
        counts,
        where,
    )
    if status != 0:
        _raise_status(status, list(where))
    new_verts = torch.empty(sizes[0], 3, dtype=torch.float64, device="cpu")
    new_faces = torch.empty(sizes[1], 3, dtype=torch.int32, device="cpu")
    source_verts = torch.empty(sizes[0], 3, dtype=torch.int32, device="cpu")
    source_weights = torch.empty(sizes[0], 3, dtype=torch.float64, device="cpu")
    tables = (new_verts, new_faces, source_verts, source_weights)
    _take_function()(handle, *(table.data_ptr() for table in tables))
    return RemeshedArrays(*tables, *counts)


@functools.cache
def _remesh_function() -> Callable[..., int]:
    sizes = (_P, _I64, _P, _I64, _P, _I32, _I32, _I32)
    return bind(core(), "lrast_remesh", *sizes, _P, _P, _P, _P)


@functools.cache
def _take_function() -> Callable[..., int]:
    return bind(core(), "lrast_remesh_take", _P, _P, _P, _P, _P)


def _raise_status(status: int, where: list[int]) -> None:
    first, second, count = where
    mend = (
        "cut the mesh apart there (repeat the vertices), or make a new surface of it: "
        "optim.revoxelized"
    )
    faults = {
        _REPEATED: (
            f"face {first} names a vertex twice; leave such faces out "
            "(they often come from Mesh.weld)"
        ),
        _EDGE: f"edge ({first}, {second}) has {count} faces, which is no manifold; {mend}",
        _WINDING: (
            f"the two faces at edge ({first}, {second}) are wound against each other; turn one of "
            "them round (trimesh.repair.fix_winding does it for a whole mesh)"
        ),
        _PINCHED: f"separate fans of faces touch in vertex {first}, which is no manifold; {mend}",
        _TWICE: f"faces {first} and {second} have the same three vertices; leave both out",
        _TOO_MANY: (
            f"target_edge would give about {first} faces, at most 20000000 are allowed; it is a "
            "length in world units"
        ),
    }
    if status in faults:
        raise ValueError(f"remesh: {faults[status]}")
    raise_status("remesh", status)
