"""The references against each other and against areas known by hand."""

import pytest
import torch

from tests.ops.contour_soups import general_soup, near_clipped_soup, tied_soup
from tests.ops.contour_views import on_screen
from tests.reference.coverage import supersampled_coverage
from tests.reference.exact_area import exact_coverage, union_area
from tests.reference.near_plane import screen_triangles


@pytest.mark.parametrize("make", [general_soup, near_clipped_soup, tied_soup])
def test_exact_areas_are_the_limit_of_many_samples(make):
    for seed in range(40):
        soup = make(seed)
        exact = exact_coverage(*soup)
        sampled = supersampled_coverage(*soup, samples=500)
        assert (exact - sampled).abs().max() <= 0.004


@pytest.mark.parametrize("make", [general_soup, near_clipped_soup])
def test_exact_areas_have_the_gradient_that_autograd_finds(make):
    soup = make(3, image_size=(3, 4), num_faces=3)
    assert torch.autograd.gradcheck(
        lambda verts: exact_coverage(verts, soup.faces, soup.image_size),
        (soup.verts_clip.clone().requires_grad_(),),
        eps=1e-7,
        atol=1e-5,
    )


def test_two_overlapping_triangles_by_hand():
    #   (0,0)___(2,0)     two halves of a square of side 2, cut along both diagonals:
    #      | \ / |        together they cover all but the triangle on the right
    #      | / \ |
    #   (0,2)---(2,2)
    square = [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]
    corner = torch.tensor(square, dtype=torch.float64)
    triangles = torch.stack([corner[[0, 2, 3]], corner[[0, 1, 3]]])
    expected = torch.tensor([[1.0, 0.5], [1.0, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(union_area(triangles, (2, 2)), expected, rtol=0, atol=1e-12)


def test_samples_lie_in_the_middle_of_their_cells():
    # A half-plane up to x = 1.3 covers the samples at 0.25, 0.75 and 1.25 of every row.
    xy = torch.tensor([[-20.0, -20.0], [1.3, -20.0], [1.3, 20.0], [-20.0, 20.0]]).double()
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    verts_clip = on_screen(xy, (2, 3))[None]
    coverage = supersampled_coverage(verts_clip, faces, (2, 3), samples=2)
    assert coverage.tolist() == [[[1.0, 0.5, 0.0]] * 2]
    window = supersampled_coverage(verts_clip, faces, (2, 3), samples=2, window=(1, 1, 1, 2))
    assert window.tolist() == [[[0.5, 0.0]]]


@pytest.mark.parametrize(("hidden", "num_triangles"), [(0, 1), (1, 2), (2, 1), (3, 0)])
def test_a_face_is_cut_where_it_meets_the_near_plane(hidden: int, num_triangles: int):
    # Depth is x + 1 and the plane is at depth 1, so that every cut lies at x = 0.
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    x[:hidden] *= -1
    y = torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64)
    verts_clip = torch.stack([x, y, x - 1, torch.ones(3).double()], dim=1)
    triangles = screen_triangles(verts_clip, torch.tensor([[0, 1, 2]]), (2, 2))
    assert len(triangles) == num_triangles
    assert (triangles[..., 0] >= 1).all()
    if 0 < hidden < 3:
        assert (triangles[..., 0] == 1).any()
