"""`antialias` against supersampled pictures, and what every operator must hold."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import antialias, contour_coverage, interpolate, rasterize
from lightning_rast.scene import Topology
from tests.ops.antialias_fingerprint import fingerprint
from tests.ops.antialias_scenes import SCENES, Scene
from tests.ops.contour_soups import general_soup, near_clipped_soup, tied_soup
from tests.ops.contour_views import seen_from
from tests.ops.instruction_sets import printed_by
from tests.reference.supersampled import box_filtered, derivatives

SIZE = 48


def pictures(scene: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """Hard, antialiased and true picture."""
    verts_clip = seen_from(scene.verts)
    fragments = rasterize(verts_clip, scene.faces, (SIZE, SIZE))
    hard = interpolate(scene.attrs, scene.faces, fragments)
    topology = Topology.from_faces(scene.faces, len(scene.verts))
    smooth = antialias(hard, fragments, verts_clip, topology)
    return hard[0], smooth[0], box_filtered(verts_clip[0], scene.faces, scene.attrs, SIZE, 16)


@pytest.mark.parametrize("name", SCENES)
def test_pictures_come_near_supersampled_ones(name: str):
    hard, smooth, truth = pictures(SCENES[name](4))
    before, after = (hard - truth).abs(), (smooth - truth).abs()
    boundary = before.amax(dim=-1) > 0.02
    assert boundary.sum() > 100
    assert after[boundary].mean() < 0.1 * before[boundary].mean()


@pytest.mark.parametrize("level", [4, pytest.param(6, id="faces below a pixel")])
@pytest.mark.parametrize("name", SCENES)
def test_gradients_point_where_differences_of_supersampled_pictures_do(name: str, level: int):
    scene = SCENES[name](level)
    truth, ours = derivatives(
        scene.verts, scene.faces, scene.attrs, seen_from, SIZE, count=6, samples=16
    )
    assert (truth * ours).sum() > 0.98 * truth.norm() * ours.norm()
    assert 0.9 < ours.norm() / truth.norm() < 1.1


@pytest.mark.parametrize("make", [general_soup, near_clipped_soup, tied_soup])
def test_results_stay_within_the_range_of_the_image(make):
    for seed in range(40):
        soup = make(seed)
        topology = Topology.from_faces(soup.faces, soup.verts_clip.shape[1])
        fragments = rasterize(soup.verts_clip, topology.faces, soup.image_size)
        generator = torch.Generator().manual_seed(seed)
        image = torch.rand(*fragments.face_idx.shape, 3, generator=generator).double() * 5 - 2
        smooth = antialias(image, fragments, soup.verts_clip, topology)
        low, high = image.amin(dim=(1, 2)), image.amax(dim=(1, 2))
        assert (smooth >= low[:, None, None] - 1e-12).all()
        assert (smooth <= high[:, None, None] + 1e-12).all()


def test_a_mask_becomes_the_exact_coverage_where_pixels_show_both_sides():
    scene = SCENES["occluding"](3)
    verts_clip = seen_from(scene.verts)
    topology = Topology.from_faces(scene.faces, len(scene.verts))
    fragments = rasterize(verts_clip, scene.faces, (SIZE, SIZE))
    mask = (fragments.face_idx >= 0).double()[..., None]
    smooth = antialias(mask, fragments, verts_clip, topology)[..., 0]
    torch.testing.assert_close(smooth, contour_coverage(verts_clip, topology, (SIZE, SIZE)))


@pytest.mark.parametrize("num_threads", [2, 3])
def test_thread_counts_agree_bit_for_bit(num_threads: int):
    expected = fingerprint()
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        assert fingerprint() == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"])
def test_instruction_sets_agree_bit_for_bit(isa: str):
    assert printed_by("tests.ops.antialias_fingerprint", isa) == fingerprint()


def small() -> tuple[Tensor, Tensor, Topology, Tensor]:
    scene = SCENES["crossing"](2)
    verts_clip = seen_from(scene.verts)
    topology = Topology.from_faces(scene.faces, len(scene.verts))
    fragments = rasterize(verts_clip, scene.faces, (16, 18))
    return interpolate(scene.attrs, scene.faces, fragments), verts_clip, topology, fragments


def test_compiles_into_one_graph():
    image, verts_clip, topology, fragments = small()

    def loss(image: Tensor, verts: Tensor) -> Tensor:
        return antialias(image, fragments, verts, topology).square().sum()

    leaves = [image.clone().requires_grad_(), verts_clip.clone().requires_grad_()]
    expected = torch.autograd.grad(loss(*leaves), leaves)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    actual = torch.autograd.grad(compiled(*leaves), leaves)
    torch.testing.assert_close(actual, expected)


COMPILED = """
import torch
from lightning_rast.ops import antialias, rasterize
from lightning_rast.scene import Topology, icosphere
from tests.ops.contour_views import seen_from

mesh = icosphere(2)
verts_clip = seen_from(mesh.verts)
fragments = rasterize(verts_clip, mesh.faces, (16, 18))
image = fragments.depth[..., None]
topology, fresh = (Topology.from_faces(mesh.faces, len(mesh.verts)) for _ in range(2))
expected = antialias(image, fragments, verts_clip, topology)
compiled = torch.compile(antialias, fullgraph=True, backend="aot_eager")
for _ in range(2):
    assert torch.equal(compiled(image, fragments, verts_clip, fresh), expected)
"""


@pytest.mark.slow
def test_compiles_with_a_topology_that_nothing_has_used():
    # What `antialias` alone reads of it is then found while the graph is traced. In a process of
    # its own: dynamo cannot trace the checks of shapes that tests switch on.
    subprocess.run([sys.executable, "-c", COMPILED], check=True, cwd=Path(__file__).parents[2])


def test_registration():
    from lightning_rast.ops.antialias import _topology_tensors

    image, verts_clip, topology, fragments = small()
    torch.library.opcheck(
        torch.ops.lightning_rast.antialias.default,
        (
            image.requires_grad_(),
            fragments.face_idx,
            verts_clip.requires_grad_(),
            *_topology_tensors(topology),
        ),
        {
            "cull": "none",
            "face_ranges": None,
            "premultiplied": False,
            "image_grad": True,
            "record": True,
        },
    )


@pytest.mark.parametrize("wanted", [(0,), (1,), (0, 1)], ids=["image", "vertices", "both"])
def test_a_plain_call_gives_the_operators_bits(wanted: tuple[int, ...]):
    # It does not go through the dispatcher.
    from lightning_rast.ops.antialias import _topology_tensors

    image, verts_clip, topology, fragments = small()
    leaves = [image, verts_clip]
    needed = [leaves[i].requires_grad_() for i in wanted]
    plain = antialias(image, fragments, verts_clip, topology)
    operator, _ = torch.ops.lightning_rast.antialias(
        image,
        fragments.face_idx,
        verts_clip,
        *_topology_tensors(topology),
        *(None, "none", False),
        image_grad=0 in wanted,
        record=True,
    )
    assert torch.equal(plain, operator)
    weights = torch.linspace(-1, 1, plain.numel(), dtype=plain.dtype).reshape(plain.shape)
    expected = torch.autograd.grad(operator, needed, weights)
    assert all(map(torch.equal, torch.autograd.grad(plain, needed, weights), expected))


def test_saved_tensors_may_be_copied_elsewhere():
    # Offloading hooks copy what autograd saves.
    image, verts_clip, topology, fragments = small()
    verts_clip.requires_grad_()
    (expected,) = torch.autograd.grad(
        antialias(image, fragments, verts_clip, topology).square().sum(), verts_clip
    )
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved.clone(), lambda saved: saved):
        out = antialias(image, fragments, verts_clip, topology)
    (actual,) = torch.autograd.grad(out.square().sum(), verts_clip)
    assert torch.equal(actual, expected)


def test_its_gradient_has_no_gradient():
    image, verts_clip, topology, fragments = small()
    verts_clip.requires_grad_()
    loss = antialias(image, fragments, verts_clip, topology).square().sum()
    (grad,) = torch.autograd.grad(loss, verts_clip, create_graph=True)
    with pytest.raises(RuntimeError, match="antialias: its gradient cannot be differentiated"):
        torch.autograd.grad(grad.sum(), verts_clip)


def test_nothing_to_draw_changes_nothing():
    topology = Topology.from_faces(torch.zeros(0, 3, dtype=torch.int32), 0)
    verts_clip = torch.zeros(2, 0, 4)
    fragments = rasterize(verts_clip, topology.faces, (5, 6))
    image = torch.rand(2, 5, 6, 4)
    assert torch.equal(antialias(image, fragments, verts_clip, topology), image)


def test_a_single_pixel_keeps_its_colour_where_no_neighbour_shows_another():
    scene = SCENES["occluding"](2)
    verts_clip = seen_from(scene.verts)
    topology = Topology.from_faces(scene.faces, len(scene.verts))
    fragments = rasterize(verts_clip, scene.faces, (1, 1))
    image = torch.rand(1, 1, 1, 2).double()
    assert torch.equal(antialias(image, fragments, verts_clip, topology), image)


def test_a_vertex_that_is_not_finite_is_named():
    image, verts_clip, topology, fragments = small()
    broken = verts_clip.clone()
    broken[0, 7, 1] = torch.nan
    with pytest.raises(ValueError, match=r"antialias: verts_clip\[0, 7\].*not finite"):
        antialias(image, fragments, broken, topology)


def test_a_face_number_that_is_not_there_is_refused():
    image, verts_clip, topology, fragments = small()
    wrong = fragments._replace(face_idx=fragments.face_idx.clone())
    wrong.face_idx[0, 3, 4] = len(topology.faces)
    with pytest.raises(ValueError, match="face_idx"):
        antialias(image, wrong, verts_clip, topology)


@pytest.mark.usefixtures("unchecked")
def test_an_image_of_another_size_is_refused():
    image, verts_clip, topology, fragments = small()
    with pytest.raises(ValueError, match="image"):
        antialias(image[:, 1:], fragments, verts_clip, topology)
