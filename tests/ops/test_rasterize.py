"""`rasterize` against pictures drawn by hand and against the reference."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import Fragments, rasterize
from tests.ops.contour_meshes import Surface, bumpy_sphere, icosphere, joined, noisy_sphere, torus
from tests.ops.contour_soups import Soup, general_soup, near_clipped_soup, needle_soup, tied_soup
from tests.ops.contour_views import look_at, on_screen, orthographic, projected, seen_from
from tests.ops.fragment_drawing import draw, drawn
from tests.reference import rasterize as reference

SIZE = (4, 6)


def picture(xy: list[list[float]], faces: list[list[int]], *, w: list[float] | None = None) -> str:
    """Faces over points in pixels, drawn in SIZE."""
    points = torch.tensor(xy, dtype=torch.float64)
    verts_clip = on_screen(points, SIZE, None if w is None else torch.tensor(w).double())
    return draw(rasterize(verts_clip[None], torch.tensor(faces).int(), SIZE).face_idx[0])


def assert_matches_reference(
    verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int], **options
) -> None:
    actual = rasterize(verts_clip, faces, image_size, **options)
    expected = reference.rasterize(verts_clip, faces, image_size, **options)
    assert torch.equal(actual.face_idx, expected.face_idx)
    single = verts_clip.dtype == torch.float32
    tolerance = {"rtol": 3e-7, "atol": 3e-7} if single else {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(actual.bary.double(), expected.bary, **tolerance)
    torch.testing.assert_close(actual.depth.double(), expected.depth, **tolerance)


def test_edges_on_pixel_centres_belong_to_the_faces_right_of_and_below_them():
    # 0---1   a rectangle from centre (0.5, 0.5) to centre (4.5, 2.5): its left and top rows are
    # | \ |   its own, its right and bottom rows are not, and the diagonal belongs to the face
    # 3---2   that it bounds on the left
    xy = [[0.5, 0.5], [4.5, 0.5], [4.5, 2.5], [0.5, 2.5]]
    assert picture(xy, [[0, 2, 1], [0, 3, 2]]) == drawn("""
        0000..
        1100..
        ......
        ......""")


def test_a_square_without_a_pixel_centre_shows_nothing():
    xy = [[1.6, 1.6], [2.4, 1.6], [2.4, 2.4], [1.6, 2.4]]
    assert picture(xy, [[0, 1, 2], [0, 2, 3]]) == drawn("""
        ......
        ......
        ......
        ......""")


def test_a_pixel_centre_under_a_common_vertex_belongs_to_one_face():
    # A fan of faces above, right of, below and left of the centre of pixel (1, 2). Its diagonals,
    # too, run through pixel centres.
    xy = [[2.5, 1.5], [-1.5, -2.5], [6.5, -2.5], [6.5, 5.5], [-1.5, 5.5]]
    fan = [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]]
    assert picture(xy, fan) == drawn("""
        300111
        331111
        322111
        222211""")


def test_the_nearer_face_is_seen():
    # Face 0 is at depth 2; face 1 runs towards the viewer and passes it at x = 3.
    xy = [[0.0, -12.0], [0.0, 16.0], [12.0, 2.0]]
    assert picture(xy * 2, [[0, 1, 2], [3, 4, 5]], w=[2.0, 2.0, 2.0, 4.0, 4.0, 0.8]) == drawn("""
        000111
        000111
        000111
        000111""")


def test_of_equally_near_faces_the_first_is_seen():
    xy = [[0.0, 0.0], [6.0, 0.0], [6.0, 4.0], [0.0, 4.0]]
    twice = [[0, 1, 2], [0, 2, 3], [2, 0, 1], [3, 0, 2]]
    assert picture(xy, twice) == picture(xy, twice[:2])


def test_culling_leaves_out_one_side():
    # Face 0 runs counter-clockwise as seen, with y up; face 1 clockwise.
    xy = torch.tensor([[0.0, 0.0], [0.0, 4.0], [3.0, 2.0], [6.0, 0.0], [6.0, 4.0]])
    verts_clip = on_screen(xy.double(), SIZE)[None]
    faces = torch.tensor([[0, 1, 2], [3, 4, 2]]).int()
    pictures = [
        draw(rasterize(verts_clip, faces, SIZE, cull=cull).face_idx[0])
        for cull in ("none", "back", "front")
    ]
    assert pictures == [
        drawn("""
            0....1
            00..11
            00..11
            0....1"""),
        drawn("""
            0.....
            00....
            00....
            0....."""),
        drawn("""
            .....1
            ....11
            ....11
            .....1"""),
    ]


def test_layers_run_from_near_to_far():
    xy = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]]).double().repeat(3, 1)
    w = torch.tensor([2.0, 1.0, 3.0]).repeat_interleave(3).double()
    verts_clip = on_screen(xy, (1, 1), w)[None]
    faces = torch.arange(9).int().reshape(3, 3)
    fragments = rasterize(verts_clip, faces, (1, 1), num_layers=4)
    assert fragments.face_idx.flatten().tolist() == [1, 0, 2, -1]
    torch.testing.assert_close(
        fragments.depth.flatten(), torch.tensor([1.0, 2.0, 3.0, 0.0]).double()
    )


def test_weights_hold_for_perspective():
    # Half way along an edge on the screen, the nearer end weighs more: 1/w is linear there.
    xy = torch.tensor([[0.5, 0.5], [2.5, 0.5], [0.5, 9.0]]).double()
    verts_clip = on_screen(xy, (1, 2), torch.tensor([1.0, 3.0, 1.0]).double())[None]
    fragments = rasterize(verts_clip, torch.tensor([[0, 1, 2]]).int(), (1, 2))
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.75, 0.25, 0.0]]).double()
    torch.testing.assert_close(fragments.bary[0, 0], expected)
    torch.testing.assert_close(fragments.depth[0, 0], torch.tensor([1.0, 1.5]).double())


def test_the_background_is_zero():
    fragments = rasterize(torch.ones(1, 3, 4), torch.tensor([[0, 1, 2]]).int(), (2, 3))
    assert (fragments.face_idx == -1).all()
    assert (fragments.bary == 0).all()
    assert (fragments.depth == 0).all()


@pytest.mark.parametrize("num_layers", [None, 4])
@pytest.mark.parametrize("make", [general_soup, tied_soup, near_clipped_soup])
def test_soups_match_the_reference(make: Callable[[int], Soup], num_layers: int | None):
    for seed in range(40):
        soup = make(seed)
        assert_matches_reference(*soup, num_layers=num_layers)


def test_needles_match_the_reference():
    assert_matches_reference(*needle_soup(60, (24, 31)), num_layers=3)


MESHES = {
    "bumpy sphere": lambda: bumpy_sphere(3),
    "noisy sphere": lambda: noisy_sphere(3),
    "torus": lambda: torus(24, 12),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("cull", ["none", "back", "front"])
@pytest.mark.parametrize("mesh", MESHES.values(), ids=MESHES)
def test_meshes_match_the_reference(mesh: Callable[[], Surface], cull: str, dtype: torch.dtype):
    verts, faces = mesh()
    assert_matches_reference(seen_from(verts).to(dtype), faces, (33, 40), cull=cull)


def test_many_layers_match_the_reference():
    verts, faces = noisy_sphere(3)
    assert_matches_reference(seen_from(verts), faces, (20, 26), num_layers=9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_camera_inside_the_mesh_matches_the_reference(dtype: torch.dtype):
    verts, faces = bumpy_sphere(2)
    verts_clip = seen_from(verts, eye=(0.3, 0.1, 0.2), fov_deg=100, near=0.4).to(dtype)
    distance = verts_clip[..., 2] + verts_clip[..., 3]
    assert (distance < 0).any()
    assert_matches_reference(verts_clip, faces, (31, 29), num_layers=2)


def test_an_orthographic_camera_matches_the_reference():
    verts, faces = bumpy_sphere(2)
    verts_clip = projected(verts, orthographic(1.1) @ look_at((1.0, 2.0, 3.0)))
    assert_matches_reference(verts_clip, faces, (31, 29), num_layers=2)


def test_a_view_is_orthographic_if_the_faces_it_draws_are():
    # The second mesh alone has w = 1; its nearer face must be seen although 1/w says nothing.
    near, far = -0.5, 0.5
    flat = [[-1, -1, far, 1], [3, -1, far, 1], [-1, 3, far, 1]]
    flat += [[-1, -1, near, 1], [3, -1, near, 1], [-1, 3, near, 1]]
    deep = [[-1, -1, 0, 1], [3, -1, 0, 2], [-1, 3, 0, 3]]
    verts_clip = torch.tensor(deep + flat, dtype=torch.float32)
    faces = torch.arange(9).int().reshape(3, 3)
    ranges = torch.tensor([[0, 1], [1, 3]])
    fragments = rasterize(verts_clip, faces, (1, 1), face_ranges=ranges)
    assert fragments.face_idx.flatten().tolist() == [0, 2]


def test_layers_begin_with_the_single_layer():
    verts, faces = torus(24, 12)
    verts_clip = seen_from(verts)
    single = rasterize(verts_clip, faces, (40, 40))
    layers = rasterize(verts_clip, faces, (40, 40), num_layers=3)
    for one, many in zip(single, layers, strict=True):
        assert torch.equal(one, many[:, 0])


def test_meshes_of_different_topology_share_a_batch():
    ball, ring = icosphere(2), torus(20, 10)
    both = joined(ball, ring)
    world_to_clip = seen_from(torch.cat([both.verts]))[0]
    ranges = torch.tensor([[0, len(ball.faces)], [len(ball.faces), len(both.faces)]])
    packed = rasterize(world_to_clip, both.faces, (24, 32), face_ranges=ranges)
    alone = [rasterize(seen_from(mesh.verts), mesh.faces, (24, 32)) for mesh in (ball, ring)]
    assert torch.equal(packed.face_idx[0], alone[0].face_idx[0])
    shown = alone[1].face_idx[0]
    assert torch.equal(packed.face_idx[1], torch.where(shown < 0, -1, shown + len(ball.faces)))
    assert torch.equal(packed.bary, torch.cat([alone[0].bary, alone[1].bary]))
    assert torch.equal(packed.depth, torch.cat([alone[0].depth, alone[1].depth]))


def test_each_view_may_draw_a_range_of_its_own():
    verts, faces = icosphere(2)
    verts_clip = torch.cat([seen_from(verts), seen_from(verts, eye=(-2.0, 0.5, 1.5))])
    ranges = torch.tensor([[0, 100], [50, 320]])
    assert_matches_reference(verts_clip, faces, (24, 32), face_ranges=ranges)


def test_views_do_not_depend_on_each_other():
    verts, faces = torus(24, 12)
    views = [seen_from(verts, eye=(2 * math.cos(k), 1.0, 2 * math.sin(k))) for k in range(4)]
    together = rasterize(torch.cat(views), faces, (30, 40))
    for number, view in enumerate(views):
        alone = rasterize(view, faces, (30, 40))
        for one, many in zip(alone, together, strict=True):
            assert torch.equal(one[0], many[number])


def test_the_order_of_faces_changes_nothing_but_their_numbers():
    verts, faces = noisy_sphere(3)
    order = torch.randperm(len(faces), generator=torch.Generator().manual_seed(1))
    verts_clip = seen_from(verts)
    first = rasterize(verts_clip, faces, (40, 40))
    second = rasterize(verts_clip, faces[order], (40, 40))
    shown = second.face_idx.long()
    assert torch.equal(first.face_idx.long(), torch.where(shown < 0, -1, order[shown]))
    assert torch.equal(first.bary, second.bary)


@pytest.mark.parametrize("shape", [(0, 5, 3), (2, 0, 0), (2, 5, 0), (0, 0, 0)])
def test_nothing_to_draw(shape: tuple[int, int, int]):
    num_views, num_verts, num_faces = shape
    verts_clip = torch.ones(num_views, num_verts, 4)
    faces = torch.zeros(num_faces, 3).int()
    fragments = rasterize(verts_clip, faces, (3, 5))
    assert fragments.face_idx.shape == (num_views, 3, 5)
    assert fragments.bary.shape == (num_views, 3, 5, 3)
    assert (fragments.face_idx == -1).all()
    layers = rasterize(verts_clip, faces, (3, 5), num_layers=2)
    assert layers.depth.shape == (num_views, 2, 3, 5)


def test_faces_without_area_are_not_seen():
    xy = torch.tensor([[1.5, 1.5], [4.5, 1.5], [3.5, 1.5]]).double()
    faces = torch.tensor([[0, 1, 2], [0, 0, 1], [2, 2, 2]]).int()
    assert (rasterize(on_screen(xy, SIZE)[None], faces, SIZE).face_idx == -1).all()


def test_a_picture_of_one_pixel():
    fragments = rasterize(
        torch.tensor([[[-1.0, -1, 0, 1], [3, -1, 0, 1], [-1, 3, 0, 1]]]),
        torch.tensor([[0, 1, 2]]).int(),
        (1, 1),
    )
    assert isinstance(fragments, Fragments)
    assert fragments.face_idx.tolist() == [[[0]]]
    torch.testing.assert_close(fragments.bary, torch.tensor([[[[0.5, 0.25, 0.25]]]]))


@pytest.mark.parametrize("reach", [1e6, 1e18, 1e30, 1e150])
def test_faces_reaching_far_beyond_the_picture(reach: float):
    # A horizon just above the centres of row 1, however far out its ends are.
    xy = [[-reach, 1.25], [reach, 1.25], [0.0, reach], [0.0, -reach]]
    assert picture(xy, [[0, 1, 2], [0, 3, 1]]) == drawn("""
        111111
        000000
        000000
        000000""")


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1.0, 1e9, 1e30])
def test_the_scale_of_clip_space_does_not_matter(scale: float):
    verts, faces = bumpy_sphere(2)
    verts_clip = seen_from(verts)
    plain = rasterize(verts_clip, faces, (20, 20))
    scaled = rasterize(verts_clip * scale, faces, (20, 20))
    assert torch.equal(plain.face_idx, scaled.face_idx)
    torch.testing.assert_close(plain.bary, scaled.bary, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(plain.depth * scale, scaled.depth, rtol=1e-9, atol=0)
