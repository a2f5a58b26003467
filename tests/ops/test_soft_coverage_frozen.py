"""`soft_coverage` against arrays that the reference computed once, and PyTorch3D where it is."""

import numpy as np
import pytest
import torch

from lightning_rast.ops import soft_coverage
from tests.ops.soft_scenes import SOFTNESS, Scene, options, sphere_scene
from tests.reference.make_soft_frozen import FROZEN, NAMES


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("semantics", SOFTNESS)
@pytest.mark.parametrize("name", NAMES)
def test_matches_frozen_arrays(name: str, semantics: str, dtype: torch.dtype):
    with np.load(FROZEN) as frozen:
        scene = Scene(
            torch.from_numpy(frozen[f"{name}/verts_clip"]),
            torch.from_numpy(frozen[f"{name}/faces"]),
            tuple(frozen[f"{name}/image_size"].tolist()),
        )
        image = torch.from_numpy(frozen[f"{name}/{semantics}/image"])
        grad = torch.from_numpy(frozen[f"{name}/{semantics}/gradient"])
    tolerance = 1e-4 if dtype == torch.float32 else 1e-6
    verts = scene.verts_clip.to(dtype).requires_grad_()
    actual = soft_coverage(verts, scene.faces, scene.image_size, **options(semantics))
    (actual_grad,) = torch.autograd.grad(actual.square().sum(), verts)
    torch.testing.assert_close(actual.detach().double(), image, rtol=0, atol=tolerance)
    assert (actual_grad.double() - grad).norm() < tolerance * grad.norm()


def test_matches_pytorch3d():
    rasterizer = pytest.importorskip("pytorch3d.renderer.mesh.rasterize_meshes")
    structures = pytest.importorskip("pytorch3d.structures")
    scene = sphere_scene()
    chosen = options("pytorch3d")
    verts = scene.verts_clip.float().requires_grad_()
    ours = soft_coverage(verts, scene.faces, scene.image_size, **chosen)

    theirs_verts = scene.verts_clip.float().requires_grad_()
    height, width = scene.image_size
    clip = theirs_verts[0]
    # Its NDC: x to the left, y up, the shorter side from -1 to 1, z the view depth.
    scale = torch.tensor([-width / min(height, width), height / min(height, width)])
    ndc = torch.cat([clip[:, :2] / clip[:, 3:] * scale, clip[:, 3:]], dim=1)
    _, _, _, distances = rasterizer.rasterize_meshes(
        structures.Meshes([ndc], [scene.faces.long()]),
        image_size=scene.image_size,
        blur_radius=9.21024036697585 * chosen["sigma"],
        faces_per_pixel=chosen["faces_per_pixel"],
        perspective_correct=True,
        clip_barycentric_coords=True,
    )
    p = torch.sigmoid(-distances / chosen["sigma"]) * (distances != -1)
    theirs = 1 - (1 - p).prod(dim=-1)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
    (grad,) = torch.autograd.grad(ours.square().sum(), verts)
    (their_grad,) = torch.autograd.grad(theirs.square().sum(), theirs_verts)
    assert (grad - their_grad).norm() < 1e-3 * their_grad.norm()
