"""`rasterize` at sizes where small integers would overflow."""

from pathlib import Path

import pytest
import torch

from lightning_rast.ops import rasterize

WHOLE_PICTURE = torch.tensor([[[-1.0, -1, 0, 1], [3, -1, 0, 1], [-1, 3, 0, 1]]])


def test_sixteen_million_faces():
    faces = torch.zeros(2**24, 3, dtype=torch.int32)
    faces[-1] = torch.tensor([0, 1, 2])
    assert (rasterize(WHOLE_PICTURE, faces, (3, 5)).face_idx == 2**24 - 1).all()


def test_face_numbers_whose_corners_lie_beyond_two_billion(tmp_path: Path):
    # A file of zeros that takes no room; only the faces of the range are read from it.
    num_faces, first = 720_000_000, 716_000_000
    file = tmp_path / "faces"
    with file.open("wb") as out:
        out.truncate(12 * num_faces)
    faces = torch.from_file(str(file), shared=False, size=3 * num_faces, dtype=torch.int32)
    faces = faces.view(-1, 3)
    faces[first + 5] = torch.tensor([0, 1, 2])
    ranges = torch.tensor([[first, first + 1000]])
    verts = WHOLE_PICTURE.clone().requires_grad_()
    fragments = rasterize(verts, faces, (3, 5), face_ranges=ranges)
    assert (fragments.face_idx == first + 5).all()
    (grad,) = torch.autograd.grad(fragments.bary[..., 0].sum(), verts)
    assert grad.abs().max() > 0


@pytest.mark.parametrize("image_size", [(1, 70_000), (70_000, 1), (4096, 4096)])
def test_large_pictures(image_size: tuple[int, int]):
    _, width = image_size
    fragments = rasterize(WHOLE_PICTURE, torch.tensor([[0, 1, 2]]).int(), image_size)
    assert (fragments.face_idx == 0).all()
    # Weight 1 grows from 0 at the left to 1/2 at the right.
    last = fragments.bary[0, -1, -1, 1]
    torch.testing.assert_close(last, torch.tensor((width - 0.5) / (2 * width)), rtol=1e-6, atol=0)
    assert (fragments.depth == 1).all()
