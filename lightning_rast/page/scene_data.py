"""The mesh and the cameras as the page's viewer reads them."""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

import torch
import trimesh
from torch import Tensor
from trimesh.exchange.gltf import export_glb

from lightning_rast.page.facts import ScoredViews
from lightning_rast.page.markup import Markup, element
from lightning_rast.scene import Mesh
from lightning_rast.scene.upwards import upwards


def mesh_block(mesh: Mesh) -> Markup:
    """A GLB, deflated, in base64; read by viewer.js."""
    shape = trimesh.Trimesh(
        mesh.verts.detach().cpu().numpy(), mesh.faces.cpu().numpy(), process=False
    )
    packed = zlib.compress(export_glb(trimesh.Scene(shape)), 6)
    text = Markup(base64.b64encode(packed).decode())
    return element("script", text, type="application/octet-stream", id="mesh-data")


def cameras_block(scored: Sequence[ScoredViews]) -> Markup:
    """Poses and shapes of all views' images as JSON; read by viewer.js.

    of each: name, held_out, pose (camera to world, OpenGL's axes, row by row) and corners (of its
    image, where the plane at distance 1 is crossed: left, right, bottom, top).
    """
    views: list[dict[str, Any]] = []
    seen: list[Tensor] = []
    for group in scored:
        cameras = group.views.cameras
        if cameras.orthographic:
            continue
        poses = cameras.to_opengl().double().cpu()
        height, width = cameras.image_size
        seen.append(poses)
        for name, pose, K in zip(group.views.names, poses, cameras.K.double().cpu(), strict=True):
            inverse = torch.linalg.inv(K)
            pixels = torch.tensor([[0.0, 0.0, 1.0], [width, height, 1.0]], dtype=torch.float64)
            (left, top, _), (right, bottom, _) = (pixels @ inverse.mT).tolist()
            views.append(
                {
                    "name": name,
                    "held_out": group.is_held_out,
                    "pose": [round(x, 9) for x in pose.reshape(-1).tolist()],
                    "corners": [round(x, 9) for x in (left, right, -bottom, -top)],
                }
            )
    content = {"up": upwards(torch.cat(seen)) if seen else [0.0, 1.0, 0.0], "views": views}
    text = Markup(json.dumps(content).replace("<", "\\u003c"))
    return element("script", text, type="application/json", id="camera-data")
