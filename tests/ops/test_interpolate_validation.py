"""What `interpolate` says to arguments that cannot be right, and to hard images in a loss."""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import LightningRastWarning, advice, antialias, interpolate, rasterize
from lightning_rast.scene import Topology
from tests.ops.interpolate_cases import Picture

pytestmark = pytest.mark.usefixtures("unchecked")
FACES = torch.tensor([[0, 1, 2], [2, 1, 3]], dtype=torch.int32)


def picture(face_idx: Tensor | None = None, bary: Tensor | None = None) -> Picture:
    face_idx = torch.zeros(2, 5, 6, dtype=torch.int32) if face_idx is None else face_idx
    return Picture(face_idx, torch.rand(*face_idx.shape, 3) if bary is None else bary)


@pytest.mark.parametrize("num_threads", [1, 4])
@pytest.mark.parametrize("bad", [2, 7, -2, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("faces", [FACES, None], ids=["faces", "corners"])
@pytest.mark.parametrize("num_channels", [1, 3, 4, 7])
def test_a_face_that_is_not_there_is_named(
    num_channels: int, faces: Tensor | None, bad: int, num_threads: int
):
    before = torch.get_num_threads()
    face_idx = torch.zeros(2, 150, 160, dtype=torch.int32)
    face_idx[1, 140, 9] = face_idx[1, 3, 80] = bad
    attrs = torch.zeros(*((4,) if faces is not None else (2, 3)), num_channels)
    try:
        torch.set_num_threads(num_threads)
        with pytest.raises(ValueError, match=rf"face_idx\[1, 3, 80\] = {bad},.* of 2 faces"):
            interpolate(attrs, faces, picture(face_idx))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("bad", [4, -1, 2**31 - 1])
def test_a_vertex_that_is_not_there_is_named(bad: int):
    faces = FACES.clone()
    faces[1, 2] = bad
    face_idx = torch.tensor([[[0, 0, -1, 1]]], dtype=torch.int32)
    with pytest.raises(ValueError, match=rf"faces\[1\] = \[2, 1, {bad}\].*it has 4"):
        interpolate(torch.zeros(4, 3), faces, picture(face_idx))


def test_a_face_that_no_pixel_shows_is_not_looked_at():
    faces = torch.cat((FACES, torch.full((1, 3), 99, dtype=torch.int32)))
    assert interpolate(torch.ones(4, 3), faces, picture()).isfinite().all()


BAD = torch.full((1, 2, 3), 5, dtype=torch.int32)
GRAD = torch.zeros(1, 2, 3, 4)


@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        ("interpolate_bary_vjp", (GRAD, torch.zeros(3, 4), FACES, BAD)),
        ("interpolate_attrs_vjp", (GRAD, FACES, BAD, torch.zeros(1, 2, 3, 3), 4, True)),
    ],
)
def test_gradients_do_not_follow_bad_indices(op: str, arguments: tuple):
    with pytest.raises(ValueError, match=r"face_idx\[0, 0, 0\] = 5"):
        getattr(torch.ops.lightning_rast, op)(*arguments)


@pytest.mark.parametrize("shape", [(4,), (2, 4, 3, 1)])
def test_shape_of_vertex_attributes(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"attrs must be \(V, C\) or \(N, V, C\)") as error:
        interpolate(torch.zeros(shape), FACES, picture())
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 5), (1, 2, 2, 3, 3)])
def test_shape_of_corner_attributes(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"attrs must be \(F, 3, C\) or \(N, F, 3, C\)") as error:
        interpolate(torch.zeros(shape), None, picture())
    assert str(shape) in str(error.value)


@pytest.mark.parametrize(("shape", "faces"), [((3, 4, 1), FACES), ((3, 2, 3, 1), None)])
def test_numbers_of_views_must_agree(shape: tuple[int, ...], faces: Tensor | None):
    with pytest.raises(ValueError, match="holds 3 views, fragments 2"):
        interpolate(torch.zeros(shape), faces, picture())


@pytest.mark.parametrize("dtype", [torch.float16, torch.int32])
def test_dtype_of_attributes(dtype: torch.dtype):
    with pytest.raises(ValueError, match="must both be float32 or both float64") as error:
        interpolate(torch.zeros(4, 3, dtype=dtype), FACES, picture())
    assert str(dtype) in str(error.value)


def test_attributes_and_weights_of_different_precision():
    with pytest.raises(ValueError, match=r"attrs torch\.float64, bary torch\.float32"):
        interpolate(torch.zeros(4, 3).double(), FACES, picture())


@pytest.mark.parametrize("faces", [FACES.long(), FACES[:, :2], FACES[0]])
def test_faces(faces: Tensor):
    with pytest.raises(ValueError, match=r"faces must be int32 \(F, 3\)") as error:
        interpolate(torch.zeros(4, 3), faces, picture())
    assert str(tuple(faces.shape)) in str(error.value)


@pytest.mark.parametrize(
    "face_idx", [torch.zeros(5, 6, dtype=torch.int32), torch.zeros(2, 5, 6, dtype=torch.int64)]
)
def test_face_idx(face_idx: Tensor):
    with pytest.raises(ValueError, match=r"face_idx must be int32 \(N, H, W\)") as error:
        interpolate(torch.zeros(4, 3), FACES, picture(face_idx))
    assert str(tuple(face_idx.shape)) in str(error.value)


def test_shape_of_weights():
    with pytest.raises(ValueError, match=r"bary must be \(2, 5, 6, 3\).*got \(2, 5, 6, 2\)"):
        interpolate(torch.zeros(4, 3), FACES, picture(bary=torch.zeros(2, 5, 6, 2)))


@pytest.mark.parametrize("name", ["attrs", "faces", "bary"])
def test_devices_must_agree(name: str):
    tensors = {"attrs": torch.zeros(4, 3), "faces": FACES, "bary": torch.zeros(2, 5, 6, 3)}
    tensors[name] = tensors[name].to("meta")
    with pytest.raises(ValueError, match=f"{name} is on meta, face_idx on cpu"):
        interpolate(tensors["attrs"], tensors["faces"], picture(bary=tensors["bary"]))


def test_fragments_must_be_fragments():
    with pytest.raises(TypeError, match="rasterize.*got Tensor"):
        interpolate(torch.zeros(4, 3), FACES, torch.zeros(3))  # pyright: ignore


@pytest.fixture
def triangle(monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """A face in clip space; nothing has been warned of yet."""
    monkeypatch.setattr(advice, "_given", set())
    corners = [[-0.8, -0.8, 0.0, 1.0], [0.8, -0.8, 0.0, 1.0], [0.0, 0.8, 0.0, 1.0]]
    return torch.tensor([corners], requires_grad=True)


def test_a_hard_image_of_vertices_that_are_fitted_warns(triangle: Tensor):
    fragments = rasterize(triangle, FACES[:1], (8, 8))
    image = interpolate(torch.rand(3, 3), FACES[:1], fragments)
    with pytest.warns(LightningRastWarning, match="visibility gradients are missing"):
        image.sum().backward()


def test_a_depth_image_of_vertices_that_are_fitted_warns(triangle: Tensor):
    with pytest.warns(LightningRastWarning, match="visibility gradients are missing"):
        rasterize(triangle, FACES[:1], (8, 8)).depth.sum().backward()


@pytest.mark.filterwarnings("error::lightning_rast.ops.LightningRastWarning")
def test_an_antialiased_image_does_not_warn(triangle: Tensor):
    fragments = rasterize(triangle, FACES[:1], (8, 8))
    image = interpolate(torch.rand(3, 3), FACES[:1], fragments)
    topology = Topology.from_faces(FACES[:1], 3)
    antialias(image, fragments, triangle, topology).sum().backward()
    assert triangle.grad is not None


@pytest.mark.filterwarnings("error::lightning_rast.ops.LightningRastWarning")
def test_fitting_attributes_alone_does_not_warn(triangle: Tensor):
    attrs = torch.rand(3, 3, requires_grad=True)
    interpolate(attrs, FACES[:1], rasterize(triangle.detach(), FACES[:1], (8, 8))).sum().backward()
    assert attrs.grad is not None
