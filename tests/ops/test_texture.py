"""`sample_texture` against lookups written out texel by texel."""

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_rast.ops import (
    advice,
    fragment_derivatives,
    interpolate,
    rasterize,
    sample_texture,
)
from tests.reference import texture as reference

SIZES = [(1, 1), (1, 2), (3, 5), (7, 4), (16, 16), (13, 37)]
all_wraps = pytest.mark.parametrize("wrap", ["repeat", "clamp", "mirror"])
all_filters = pytest.mark.parametrize("how", ["nearest", "bilinear", "mipmap"])


def points(num_views: int = 1, num_points: int = 200) -> tuple[Tensor, Tensor, Tensor]:
    """Texture coordinates in and around [0, 1], and derivatives of all sizes."""
    uv = torch.rand(num_views, num_points, 2, dtype=torch.float64) * 6 - 3
    by_x, by_y = torch.randn(2, num_views, num_points, 2, dtype=torch.float64)
    reach = 4.0 ** torch.linspace(-5, 1, num_points, dtype=torch.float64)[:, None]
    return uv, by_x * reach, by_y * reach


def sampled(texture: Tensor, uv: Tensor, by_x: Tensor, by_y: Tensor, how: str, **options) -> Tensor:
    if how == "mipmap":
        options |= {"uv_dx": by_x, "uv_dy": by_y}
    return sample_texture(texture, uv, filter=how, **options)


def expected(
    texture: Tensor, uv: Tensor, by_x: Tensor, by_y: Tensor, how: str, wrap: str
) -> Tensor:
    derivatives = (by_x, by_y) if how == "mipmap" else ()
    return getattr(reference, how)(texture, uv, wrap, *derivatives)


@all_filters
@all_wraps
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_values_match_the_reference(size: tuple[int, int], wrap: str, how: str):
    texture, inputs = torch.rand(*size, 3, dtype=torch.float64), points()
    actual = sampled(texture, *inputs, how, wrap=wrap)[0]
    wanted = expected(texture, *(x[0] for x in inputs), how, wrap)
    torch.testing.assert_close(actual, wanted, rtol=0, atol=1e-13)


@all_filters
@all_wraps
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 6)], ids=str)
def test_gradients_match_the_reference(size: tuple[int, int], wrap: str, how: str):
    texture, inputs = torch.rand(*size, 3, dtype=torch.float64), points()
    leaves = [x.requires_grad_() for x in (texture, *inputs)]
    weights = torch.randn(1, 200, 3, dtype=torch.float64)
    ours = (sampled(*leaves, how, wrap=wrap) * weights).sum()
    flat = [leaves[0], *(x[0] for x in leaves[1:])]
    theirs = (expected(*flat, how, wrap) * weights[0]).sum()
    grads, wanted = (
        torch.autograd.grad(loss, leaves, materialize_grads=True) for loss in (ours, theirs)
    )
    for actual, gradient in zip(grads, wanted, strict=True):
        torch.testing.assert_close(actual, gradient, rtol=1e-9, atol=1e-9)


@all_wraps
@pytest.mark.parametrize("how", ["bilinear", "mipmap"])
def test_gradients(wrap: str, how: str):
    texture, inputs = torch.rand(5, 6, 2, dtype=torch.float64), points(num_points=9)
    leaves = [x.requires_grad_() for x in (texture, *inputs)]
    assert torch.autograd.gradcheck(
        lambda *leaves: sampled(*leaves, how, wrap=wrap), leaves, rtol=1e-5
    )


def test_gradients_reach_vertices_through_weights_and_levels():
    # One face covers the picture, so that what is visible does not change.
    verts_clip = torch.tensor(
        [[[-5.0, -4, 0.3, 2], [6, -5, 0.1, 3], [0.5, 9, 0.2, 1.5]]], dtype=torch.float64
    )
    faces = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    uv = 3 * torch.rand(3, 2, dtype=torch.float64)
    texture = torch.rand(16, 16, 2, dtype=torch.float64)

    def picture(verts_clip: Tensor) -> Tensor:
        fragments = rasterize(verts_clip, faces, (5, 6))
        assert (fragments.face_idx == 0).all()
        advice.mark_antialiased(fragments)
        uv_dx, uv_dy = (
            interpolate(uv, faces, fragments._replace(bary=bary))
            for bary in fragment_derivatives(verts_clip, faces, fragments)
        )
        at = interpolate(uv, faces, fragments)
        return sample_texture(texture, at, filter="mipmap", uv_dx=uv_dx, uv_dy=uv_dy)

    assert torch.autograd.gradcheck(picture, verts_clip.requires_grad_())


def test_the_first_texel_is_above_and_left():
    # v = 0 is the top row: texel centres of a texture of 2 x 3.
    texture = torch.arange(6.0).reshape(2, 3, 1)
    v, u = torch.meshgrid(torch.tensor([0.25, 0.75]), torch.tensor([1, 3, 5]) / 6, indexing="ij")
    colours = sample_texture(texture, torch.stack((u, v), dim=-1)[None])
    torch.testing.assert_close(colours, texture[None])


def test_repeated_textures_have_no_seam():
    texture = torch.rand(4, 8, 3, dtype=torch.float64)
    seam = torch.tensor([[[0.0, 0.3], [1.0, 0.3], [-1e-12, 0.3], [5.0, 0.3]]], dtype=torch.float64)
    colours = sample_texture(texture, seam)[0]
    between = sample_texture(texture.roll(4, dims=1), torch.tensor([[[0.5, 0.3]]]).double())[0]
    torch.testing.assert_close(colours, between.expand(4, 3))


def test_views_have_textures_of_their_own():
    textures, inputs = torch.rand(3, 5, 6, 2, dtype=torch.float64), points(3, 40)
    actual = sampled(textures, *inputs, "mipmap")
    for view in range(3):
        one = sampled(textures[view], *(x[view : view + 1] for x in inputs), "mipmap")
        torch.testing.assert_close(actual[view : view + 1], one)


def test_views_may_share_a_texture():
    texture, inputs = torch.rand(5, 6, 2, dtype=torch.float64), points(3, 40)
    actual = sampled(texture, *inputs, "mipmap")
    torch.testing.assert_close(actual, sampled(texture.expand(3, 5, 6, 2), *inputs, "mipmap"))


@all_filters
def test_pictures_and_layers_keep_their_shape(how: str):
    texture, inputs = torch.rand(5, 6, 2, dtype=torch.float64), points(2, 3 * 4 * 5)
    pictures = [x.reshape(2, 3, 4, 5, 2) for x in inputs]
    actual = sampled(texture, *pictures, how)
    assert actual.shape == (2, 3, 4, 5, 2)
    assert torch.equal(actual.reshape(2, 60, 2), sampled(texture, *inputs, how))


@all_filters
@all_wraps
@pytest.mark.parametrize("size", [(1, 1), (257, 640)], ids=str)
def test_a_constant_texture_stays_constant(size: tuple[int, int], wrap: str, how: str):
    inputs = [x.float() for x in points(num_points=5000)]
    colours = sampled(torch.full((*size, 2), 0.7), *inputs, how, wrap=wrap)
    torch.testing.assert_close(colours, torch.full_like(colours, 0.7), rtol=4e-7, atol=0)


@pytest.mark.parametrize("size", [(6, 10), (7, 11), (1, 9), (31, 2)], ids=str)
def test_the_last_level_is_the_mean(size: tuple[int, int]):
    texture = torch.rand(*size, 3, dtype=torch.float64)
    far = torch.full((1, 5, 2), 100.0, dtype=torch.float64)
    colours = sample_texture(texture, torch.rand_like(far), filter="mipmap", uv_dx=far, uv_dy=far)
    torch.testing.assert_close(colours, texture.mean(dim=(0, 1)).expand(1, 5, 3))


def test_fine_stripes_turn_grey_at_a_distance():
    stripes = torch.tensor([0.0, 1.0]).repeat(32)[None, :, None].expand(64, 64, 1)
    uv = torch.rand(1, 1000, 2)
    step = torch.tensor([2 / 64, 0.0]).expand(1, 1000, 2)
    colours = sample_texture(stripes, uv, filter="mipmap", uv_dx=step, uv_dy=step.flip(-1))
    assert sample_texture(stripes, uv).std() > 0.25
    torch.testing.assert_close(colours, torch.full_like(colours, 0.5))


def test_without_change_of_uv_the_texture_itself_is_looked_up():
    texture, (uv, _, _) = torch.rand(8, 8, 3, dtype=torch.float64), points()
    still = torch.zeros_like(uv, requires_grad=True)
    colours = sample_texture(texture, uv, filter="mipmap", uv_dx=still, uv_dy=still)
    torch.testing.assert_close(colours, sample_texture(texture, uv))
    (grad,) = torch.autograd.grad(colours.sum(), still)
    assert not grad.any()


@all_filters
@all_wraps
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_coordinates_that_are_not_finite(value: float, wrap: str, how: str):
    texture, inputs = torch.rand(5, 6, 2, dtype=torch.float64), points(num_points=30)
    inputs[0][0, 7, 1] = value
    leaves = [x.requires_grad_() for x in (texture, *inputs)]
    colours = sampled(*leaves, how, wrap=wrap)
    bad = colours.isnan().any(dim=-1)[0]
    is_border = wrap == "clamp" and value != torch.nan and not torch.tensor(value).isnan()
    assert bad.nonzero().flatten().tolist() == ([] if is_border else [7])
    grads = torch.autograd.grad(colours.nansum(), leaves, materialize_grads=True)
    assert all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e30])
def test_derivatives_that_are_not_finite(value: float):
    texture, inputs = torch.rand(5, 6, 2), [x.float() for x in points(num_points=30)]
    inputs[1][0, 7, 1] = value
    leaves = [x.requires_grad_() for x in (texture, *inputs)]
    colours = sampled(*leaves, "mipmap")
    if torch.tensor(value).isnan():
        assert colours.isnan().any(dim=-1)[0].nonzero().flatten().tolist() == [7]
    else:  # as far away as can be
        torch.testing.assert_close(colours[0, 7], texture.mean(dim=(0, 1)))
    grads = torch.autograd.grad(colours.nansum(), leaves)
    assert all(grad.isfinite().all() for grad in grads)


@all_filters
@pytest.mark.parametrize("shape", [(0, 4, 5, 2), (2, 0, 5, 2)])
def test_nothing_to_look_up(shape: tuple[int, ...], how: str):
    nothing = torch.zeros(shape)
    for texture in (torch.rand(3, 4, 2), torch.rand(shape[0], 3, 4, 2)):
        colours = sampled(texture, nothing, nothing, nothing, how)
        assert colours.shape == (*shape[:-1], 2)


@all_filters
def test_compiles_into_one_graph(how: str):
    texture, inputs = torch.rand(5, 6, 2, dtype=torch.float64).requires_grad_(), points()

    def loss(texture: Tensor) -> Tensor:
        return sampled(texture, *inputs, how).square().sum()

    value = torch.compile(loss, fullgraph=True, backend="aot_eager")(texture)
    torch.testing.assert_close(value, loss(texture))
    (actual,) = torch.autograd.grad(value, texture)
    torch.testing.assert_close(actual, torch.autograd.grad(loss(texture), texture)[0])


class _Calls(TorchDispatchMode):
    """Operators that torch calls meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("how", ["nearest", "bilinear", "mipmap"])
def test_nothing_crosses_between_host_and_device(how: str):
    """A captured graph takes no number from the host, and the host waits for none."""
    texture = torch.rand(5, 9, 3).requires_grad_()
    uv = torch.rand(2, 4, 2).requires_grad_()
    change = torch.rand(2, 4, 2)
    changes = {"uv_dx": change, "uv_dy": change} if how == "mipmap" else {}
    with _Calls() as calls:
        sample_texture(texture, uv, filter=how, **changes).sum().backward()
    # What `torch.tensor([...])` and `.item()` come down to.
    assert not calls.names & {
        "aten.lift_fresh.default",
        "aten.lift_fresh_copy.default",
        "aten._local_scalar_dense.default",
        "aten.item.default",
    }


@pytest.mark.parametrize("num_threads", [2, 5])
def test_thread_counts_agree_bit_for_bit(num_threads: int):
    inputs = [x.float() for x in points(num_views=3, num_points=20_000)]

    def outputs() -> list[Tensor]:
        generator = torch.Generator().manual_seed(1)
        leaves = [torch.rand(60, 70, 3, generator=generator), *inputs]
        leaves = [x.requires_grad_() for x in leaves]
        colours = sampled(*leaves, "mipmap")
        return [colours, *torch.autograd.grad(colours.square().sum(), leaves)]

    expected = outputs()
    torch.set_num_threads(num_threads)
    for actual, wanted in zip(outputs(), expected, strict=True):
        assert torch.equal(actual, wanted)


UV = torch.zeros(2, 3, 4, 2)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("texture", "uv", "options", "message"),
    [
        (torch.zeros(4, 4), UV, {}, r"texture must be \(H, W, C\).*got \(4, 4\)"),
        (torch.zeros(0, 4, 3), UV, {}, r"H and W at least 1, got \(0, 4, 3\)"),
        (torch.zeros(4, 4, 3).int(), UV, {}, r"float32 or float64, got torch\.int32"),
        (torch.zeros(3, 4, 4, 3), UV, {}, "texture holds 3 views, uv 2"),
        (torch.zeros(4, 4, 3), UV[..., :1], {}, r"uv must be \(N, \.\.\., 2\), got \(2, 3, 4, 1\)"),
        (torch.zeros(4, 4, 3), UV.double(), {}, r"uv must be torch\.float32.*got torch\.float64"),
        (torch.zeros(4, 4, 3), UV.to("meta"), {}, "uv is on meta, texture on cpu"),
        (torch.zeros(4, 4, 3), UV, {"wrap": "tile"}, "wrap must be one of.*'tile'"),
        (torch.zeros(4, 4, 3), UV, {"filter": "linear"}, "filter must be one of.*'linear'"),
        (torch.zeros(4, 4, 3), UV, {"filter": "mipmap", "uv_dx": UV}, "needs uv_dy"),
        (torch.zeros(4, 4, 3), UV, {"uv_dx": UV}, 'uv_dx is for filter="mipmap"'),
        (
            torch.zeros(4, 4, 3),
            UV,
            {"filter": "mipmap", "uv_dx": UV, "uv_dy": UV[:1]},
            r"uv_dy must be torch\.float32 \(2, 3, 4, 2\), got torch\.float32 \(1, 3, 4, 2\)",
        ),
    ],
)
def test_arguments_that_cannot_be_right(texture: Tensor, uv: Tensor, options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        sample_texture(texture, uv, **options)


@pytest.mark.parametrize("name", ["texture", "uv", "uv_dx"])
def test_what_is_no_tensor_is_named(name, unchecked):
    tensors = {"texture": torch.ones(2, 2, 3), "uv": torch.zeros(1, 4, 2)}
    tensors |= {"uv_dx": tensors["uv"], "uv_dy": tensors["uv"]}
    with pytest.raises(TypeError, match=rf"sample_texture: {name} must be a torch\.Tensor, got l"):
        sample_texture(**tensors | {name: tensors[name].tolist()}, filter="mipmap")


def test_bytes_are_refused_with_the_remedy(unchecked):
    with pytest.raises(ValueError, match=r"linear_from_srgb\(x\.float\(\) / 255\)"):
        sample_texture(torch.zeros(2, 2, 3, dtype=torch.uint8), torch.zeros(1, 4, 2))
