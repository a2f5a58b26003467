"""Which parts of a surface cameras look at, for references that nobody measured all around."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lightning_rast.ops import rasterize
from lightning_rast.scene import Camera, Mesh

_SLACK = 1e-3  # of the mesh's diagonal: faces are not flat within a pixel


@torch.no_grad()
def times_seen(
    points: Float[Tensor, "P 3"], normals: Float[Tensor, "P 3"], mesh: Mesh, cameras: Camera
) -> Int64[Tensor, " P"]:
    """How many cameras see each point of a mesh's surface.

    A camera sees a point that lies in its image, whose normal is turned to it, and in front of
    which nothing of the mesh is drawn: no further than the furthest depth in the 3 x 3 pixels
    around it, so that what is hidden within a pixel of an outline counts as seen.

    Args:
        points, normals: world, on the mesh; normals point outwards.
        cameras: the size of their images sets how exact this is.
    """
    seen = torch.zeros(len(points), dtype=torch.int64)
    points, normals = points.double().cpu(), normals.double().cpu()
    mesh, cameras = mesh.to("cpu"), cameras.to("cpu")
    height, width = cameras.image_size
    slack = _SLACK * float((mesh.bounds[1] - mesh.bounds[0]).norm())
    for index in range(len(cameras)):
        camera = cameras[[index]]
        furthest = _furthest(mesh, camera).flatten()
        column, row = camera.project(points)[0].floor().unbind(dim=1)
        depth = camera.world_to_view_points(points)[0, :, 2]
        in_image = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        in_image &= camera.world_to_clip(points)[0, :, 3] > 0
        pixel = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        is_first = depth <= furthest[pixel.nan_to_num().long()] + slack
        turned = (normals * _towards(camera, points)).sum(dim=1) > 0
        seen += in_image & is_first & turned
    return seen


def _furthest(mesh: Mesh, camera: Camera) -> Tensor:
    """Depth (H, W) along the axis, the largest of 3 x 3 pixels; -inf where nothing is drawn."""
    found = rasterize(camera.world_to_clip(mesh.verts), mesh.faces, camera.image_size)
    of_verts = camera.world_to_view_points(mesh.verts.double())[0, :, 2]
    face = found.face_idx.long()
    depth = (found.bary * of_verts[mesh.faces[face].long()]).sum(dim=-1)
    depth = torch.where(face < 0, -torch.inf, depth)
    return torch.nn.functional.max_pool2d(depth, 3, 1, 1)[0]


def _towards(camera: Camera, points: Tensor) -> Tensor:
    """From points to the camera, of any length."""
    if camera.orthographic:
        return -camera.look_direction.double().expand_as(points)
    return camera.center_world.double() - points
