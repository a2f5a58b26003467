"""What `antialias` and its companions accept."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lightning_rast.ops._registry import check_tensors
from lightning_rast.ops.advice import SeenFaces

if TYPE_CHECKING:
    from lightning_rast.scene import Topology

CULL = {"none": 0, "back": 1, "front": 2}


def check_antialias_inputs(
    image: Tensor,
    fragments: SeenFaces,
    verts_clip: Tensor,
    topology: "Topology",
    cull: str,
    face_ranges: Tensor | None,
    op: str = "antialias",
) -> None:
    face_idx = getattr(fragments, "face_idx", None)
    if not isinstance(face_idx, Tensor):
        raise TypeError(
            f"{op}: fragments must have a tensor face_idx, as rasterize() returns it, got "
            f"{type(fragments).__name__}"
        )
    check_tensors(op, image=image, verts_clip=verts_clip, face_ranges=face_ranges)
    if not hasattr(topology, "edge_faces"):
        raise TypeError(
            f"{op}: topology must be a lightning_rast.scene.Topology, got "
            f"{type(topology).__name__}; make one with Topology.from_faces(faces, num_verts)"
        )
    if face_idx.dim() != 3 or face_idx.dtype != torch.int32:
        raise ValueError(
            f"{op}: fragments.face_idx must be int32 (N, H, W), got "
            f"{face_idx.dtype} {tuple(face_idx.shape)}; of several layers, take the first"
        )
    if image.dim() != 4 or image.shape[:3] != face_idx.shape:
        raise ValueError(
            f"{op}: image must be {(*face_idx.shape, 'C')} as face_idx is "
            f"{tuple(face_idx.shape)}, got {tuple(image.shape)}"
        )
    if cull not in CULL:
        raise ValueError(f'{op}: cull must be "none", "back" or "front", got {cull!r}')
    shared = verts_clip.dim() == 2 and face_ranges is not None
    if not (verts_clip.dim() == 3 or shared) or verts_clip.shape[-1] != 4:
        raise ValueError(
            f"{op}: verts_clip must be (N, V, 4), or (V, 4) with face_ranges, got "
            f"{tuple(verts_clip.shape)}"
        )
    if not shared and verts_clip.shape[0] != face_idx.shape[0]:
        raise ValueError(
            f"{op}: verts_clip holds {verts_clip.shape[0]} views, face_idx {face_idx.shape[0]}"
        )
    if verts_clip.dtype not in (torch.float32, torch.float64) or image.dtype != verts_clip.dtype:
        raise ValueError(
            f"{op}: image and verts_clip must both be float32 or both float64, got image "
            f"{image.dtype}, verts_clip {verts_clip.dtype}"
        )
    if verts_clip.shape[-2] != topology.num_verts:
        raise ValueError(
            f"{op}: verts_clip has {verts_clip.shape[-2]} vertices, "
            f"the topology was built for {topology.num_verts}"
        )
    _check_ranges(op, face_ranges, len(face_idx), len(topology.faces))
    for name, tensor in (
        ("image", image),
        ("face_idx", face_idx),
        ("topology", topology),
        ("face_ranges", face_ranges),
    ):
        if tensor is not None and tensor.device != verts_clip.device:
            raise ValueError(
                f"{op}: {name} is on {tensor.device}, verts_clip on {verts_clip.device}"
            )


def _check_ranges(op: str, face_ranges: Tensor | None, num_views: int, num_faces: int) -> None:
    if face_ranges is None:
        return
    if face_ranges.shape != (num_views, 2) or face_ranges.dtype != torch.int64:
        raise ValueError(
            f"{op}: face_ranges must be int64 ({num_views}, 2), got {face_ranges.dtype} "
            f"{tuple(face_ranges.shape)}"
        )
    if face_ranges.device.type != "cpu" or torch.compiler.is_compiling():
        return  # looking would make the device wait; faces that are not there are never drawn
    begin, end = face_ranges.unbind(1)
    bad = ((begin < 0) | (end < begin) | (end > num_faces)).nonzero()
    if len(bad) > 0:
        view = int(bad[0])
        raise ValueError(
            f"{op}: face_ranges[{view}] = {tuple(face_ranges[view].tolist())} is not a "
            f"(begin, end) within {num_faces} faces"
        )
