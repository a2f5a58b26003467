"""Cameras: the one page on frames and pixel centres.

    world                      any right-handed frame, any unit
      |  world_to_view         rigid
    view (OpenCV)              x right, y down, z forward; same unit, camera at the origin

              z (forward)                       OpenGL / Blender:  y (up)
             /                                                     |
            o----- x (right)                                       o----- x (right)
            |                                                     /
            y (down)                                             z (backward)
      |  K, image_size, near, far
    clip (OpenGL)              x right, y up, visible where -w <= x, y and -w <= z
      |  divide by w
    ndc                        -1..1 across the image, y up
      |  screen_from_ndc       the only y flip
    screen                     pixels, x right, y down

        0     1     2     3    W = 3
      0 +-----+-----+-----+    The corner of the image is (0, 0). Pixel (row 0, column 2) is the
        |  .  |  .  |  .  |    square from (2, 0) to (3, 1); its centre, the dot, is (2.5, 0.5).
      1 +-----+-----+-----+    OpenCV calls that centre (2, 0): pixel_centers="integer" adds the
        |  .  |  .  |  .  |    half pixel to cx and cy, pixel_centers="half" takes them as they are.
      2 +-----+-----+-----+

`pixel = K x_view / z`, K = [[fx, skew, cx], [0, fy, cy], [0, 0, 1]] in pixels. Orthographic cameras
leave the division out: `pixel = K (x, y, 1)`, so fx and fy are pixels per world unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.ops import transform_points
from lightning_rast.scene.camera_checks import check_camera, check_image_size, check_rotation
from lightning_rast.scene.projection import (
    clip_from_view,
    look_at_rotation,
    rigid,
    screen_from_ndc,
    split_projection,
)

PixelCenters = Literal["integer", "half"]
ArrayLike = Tensor | np.ndarray | Sequence | float


@dataclass(frozen=True, eq=False)
class Camera:
    """N cameras with one image size. The module's docstring defines every frame and unit.

    Gradients reach `world_to_view` and `K` through ordinary autograd. Every constructor makes
    them float64, and all arithmetic is float64 whatever the vertices are: at a focal length of
    80,000 pixels float32 matrices would be off by whole pixels.

    Raises:
        ValueError: a field has the wrong shape or type or (on the CPU) impossible values.
    """

    world_to_view: Float[Tensor, "N 4 4"]
    K: Float[Tensor, "N 3 3"]
    image_size: tuple[int, int]  # (H, W)
    near: float = 1e-3  # world units in front of the camera; what is nearer is cut away
    far: float = 1e4  # maps to z_ndc = 1; nothing is cut there
    orthographic: bool = False

    def __post_init__(self) -> None:
        check_camera(self)

    @classmethod
    def look_at(
        cls,
        eye: ArrayLike,
        target: ArrayLike = (0.0, 0.0, 0.0),
        up: ArrayLike = (0.0, 1.0, 0.0),
        *,
        fov_deg: float,
        image_size: tuple[int, int],
        near: float = 1e-3,
        far: float = 1e4,
    ) -> "Camera":
        """Pinhole cameras at `eye` with `target` in the image's middle; `fov_deg` is vertical.

        `eye`, `target` and `up` are (N, 3) or (3,) in world units; single ones are shared.
        """
        if not 0 < fov_deg < 180:
            raise ValueError(f"fov_deg must lie between 0 and 180, got {fov_deg}")
        check_image_size(image_size)
        focal = image_size[0] / 2 / float(np.tan(np.radians(fov_deg) / 2))
        view = _look_at_view(eye, target, up)
        return cls(view, _centred_intrinsics(view, focal, image_size), image_size, near, far)

    @classmethod
    def orthographic_look_at(
        cls,
        eye: ArrayLike,
        target: ArrayLike = (0.0, 0.0, 0.0),
        up: ArrayLike = (0.0, 1.0, 0.0),
        *,
        height: float,
        image_size: tuple[int, int],
        near: float = 1e-3,
        far: float = 1e4,
    ) -> "Camera":
        """As `look_at`, with parallel rays; the image is `height` world units high."""
        if not height > 0:
            raise ValueError(f"height must be positive, got {height}")
        check_image_size(image_size)
        view = _look_at_view(eye, target, up)
        K = _centred_intrinsics(view, image_size[0] / height, image_size)
        return cls(view, K, image_size, near, far, orthographic=True)

    @classmethod
    def from_krt(
        cls,
        K: ArrayLike,
        R: ArrayLike,
        t: ArrayLike,
        image_size: tuple[int, int],
        *,
        pixel_centers: PixelCenters,
        near: float = 1e-3,
        far: float = 1e4,
    ) -> "Camera":
        """From x_view = R x_world + t: K and R (N, 3, 3), t (N, 3); single ones are shared.

        Raises:
            ValueError: R is not a rotation, or K's last row is not (0, 0, 1).
        """
        K, R = _batched("K", K, (3, 3)), _batched("R", R, (3, 3))
        t = _as_float64(t)
        t = _batched("t", t[..., 0] if t.shape[-2:] == (3, 1) else t, (3,))
        num_views = max(len(K), len(R), len(t))
        for name, values in (("K", K), ("R", R), ("t", t)):
            if len(values) not in (1, num_views):
                raise ValueError(f"{name} holds {len(values)} cameras, the others {num_views}")
        check_rotation(R)
        K = _half_pixel_intrinsics(K.expand(num_views, 3, 3), pixel_centers)
        view = rigid(R.expand(num_views, 3, 3), t.expand(num_views, 3))
        return cls(view, K, image_size, near, far)

    @classmethod
    def from_projection_matrix(
        cls,
        P: ArrayLike,
        image_size: tuple[int, int],
        *,
        pixel_centers: PixelCenters,
        in_front: ArrayLike | None = None,
        near: float = 1e-3,
        far: float = 1e4,
    ) -> "Camera":
        """From pixel ~ P (x_world, 1) with P (N, 3, 4) or (3, 4), of any positive scale.

        A point is in front of the camera where P's third row is positive on it. P and -P are
        the same map to pixels, so if the sign of P is arbitrary, give `in_front`: a world point
        (3,) or (N, 3) that the camera sees; P is negated where that makes its depth positive.
        A negative determinant of P[:, :3] beyond that means a mirrored world (or image): then
        fx is negative, R is still a rotation, and pixels are reproduced all the same.

        Raises:
            ValueError: P[:, :3] is singular (a camera at infinity).
        """
        P = _batched("P", P, (3, 4))
        size = torch.linalg.matrix_norm(P[:, :, :3])
        if bool((torch.linalg.det(P[:, :, :3]).abs() <= 1e-12 * size**3).any()):
            raise ValueError("P[:, :3] is singular: the camera has no centre at a finite position")
        if in_front is not None:
            point = _batched("in_front", in_front, (3,)).to(P.device)
            depth = (P[:, 2, :3] * point).sum(1) + P[:, 2, 3]
            P = torch.where(depth < 0, -1.0, 1.0)[:, None, None] * P
        K, R, t = split_projection(P)
        return cls(rigid(R, t), _half_pixel_intrinsics(K, pixel_centers), image_size, near, far)

    @classmethod
    def from_opengl(
        cls,
        camera_to_world: ArrayLike,
        *,
        fx: ArrayLike,
        fy: ArrayLike,
        cx: ArrayLike,
        cy: ArrayLike,
        image_size: tuple[int, int],
        pixel_centers: PixelCenters = "half",
        near: float = 1e-3,
        far: float = 1e4,
    ) -> "Camera":
        """From OpenGL, Blender or NeRF poses (x right, y up, z backward), (N, 4, 4) or (4, 4).

        fx, fy, cx, cy in pixels: numbers, or (N,).
        """
        pose = _batched("camera_to_world", camera_to_world, (4, 4))
        view = torch.linalg.inv(pose * pose.new_tensor([1.0, -1.0, -1.0, 1.0]))
        check_rotation(view[:, :3, :3])
        K = torch.eye(3).to(view).repeat(len(view), 1, 1)
        for value, row, column in ((fx, 0, 0), (fy, 1, 1), (cx, 0, 2), (cy, 1, 2)):
            K[:, row, column] = _as_float64(value).to(view.device)
        return cls(view, _half_pixel_intrinsics(K, pixel_centers), image_size, near, far)

    @staticmethod
    def cat(cameras: Sequence["Camera"]) -> "Camera":
        """One batch of all cameras, which must agree in everything but pose and K."""
        if not cameras:
            raise ValueError("Camera.cat needs at least one camera")
        first = cameras[0]
        for name in ("image_size", "near", "far", "orthographic"):
            values = {getattr(camera, name) for camera in cameras}
            if len(values) > 1:
                raise ValueError(f"Camera.cat: cameras differ in {name}: {sorted(values)}")
        return replace(
            first,
            world_to_view=torch.cat([camera.world_to_view for camera in cameras]),
            K=torch.cat([camera.K for camera in cameras]),
        )

    def __len__(self) -> int:
        return len(self.K)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> "Camera":
        """Some of the cameras, as a batch also for a single index."""
        if isinstance(index, int):
            index = [index]
        return replace(self, world_to_view=self.world_to_view[index], K=self.K[index])

    def to(self, target: torch.device | str | torch.dtype) -> "Camera":
        """With parameters of another device or type."""
        return replace(self, world_to_view=self.world_to_view.to(target), K=self.K.to(target))

    def world_to_clip(
        self, verts_world: Float[Tensor, "V 3"] | Float[Tensor, "N V 3"]
    ) -> Float[Tensor, "N V 4"]:
        """Clip coordinates, in the type of `verts_world`; w is the depth (1 if orthographic)."""
        return transform_points(verts_world, self._clip_from_world())

    def world_to_ndc(
        self, verts_world: Float[Tensor, "V 3"] | Float[Tensor, "N V 3"]
    ) -> Float[Tensor, "N V 3"]:
        """Normalised device coordinates; only meaningful in front of the camera."""
        clip = self.world_to_clip(verts_world.double())
        return (clip[..., :3] / clip[..., 3:]).to(verts_world.dtype)

    def world_to_view_points(
        self, verts_world: Float[Tensor, "V 3"] | Float[Tensor, "N V 3"]
    ) -> Float[Tensor, "N V 3"]:
        """View coordinates: x right, y down, z the depth along the axis."""
        return transform_points(verts_world, self.world_to_view.double())[..., :3]

    def project(
        self, verts_world: Float[Tensor, "V 3"] | Float[Tensor, "N V 3"]
    ) -> Float[Tensor, "N V 2"]:
        """Pixel positions (x, y); only meaningful in front of the camera."""
        clip = self.world_to_clip(verts_world.double())
        ndc = clip[..., :2] / clip[..., 3:]
        return screen_from_ndc(ndc, self.image_size).to(verts_world.dtype)

    @property
    def center_world(self) -> Float[Tensor, "N 3"]:
        """Where the cameras stand (the point that `world_to_view` sends to the origin)."""
        return -torch.linalg.solve(self.world_to_view[:, :3, :3], self.world_to_view[:, :3, 3])

    @property
    def look_direction(self) -> Float[Tensor, "N 3"]:
        """Unit vectors along the optical axes, in the world."""
        return torch.nn.functional.normalize(self.world_to_view[:, 2, :3], dim=1)

    def to_opengl(self) -> Float[Tensor, "N 4 4"]:
        """Camera-to-world poses with OpenGL's axes; `K` stays what it is."""
        flip = self.world_to_view.new_tensor([1.0, -1.0, -1.0, 1.0])
        return torch.linalg.inv(self.world_to_view) * flip

    def resized(self, image_size: tuple[int, int]) -> "Camera":
        """The same view at another resolution: every point keeps its place relative to the image.

        Each axis scales on its own, so a change of aspect ratio stretches the picture.
        """
        check_image_size(image_size)
        factors = (image_size[1] / self.image_size[1], image_size[0] / self.image_size[0], 1.0)
        # Filled in by the device: copying numbers from the host would make it wait.
        scale = torch.stack([self.K.new_full((), factor) for factor in factors])
        return replace(self, K=scale[:, None] * self.K, image_size=image_size)

    def crop(self, top: int, left: int, image_size: tuple[int, int]) -> "Camera":
        """The window of `image_size` pixels whose first pixel is (top, left); it may overhang."""
        shift = torch.zeros_like(self.K)
        shift[:, 0, 2], shift[:, 1, 2] = left, top
        return replace(self, K=self.K - shift, image_size=image_size)

    def _clip_from_world(self) -> Tensor:
        """Kept from call to call while nobody writes to, or differentiates, what it is made of.

        Not on a GPU, where a captured graph must make it anew each time it is replayed.
        """
        parts = (self.world_to_view, self.K)
        if torch.compiler.is_compiling() or any(
            part.requires_grad or part.is_inference() or part.device.type != "cpu" for part in parts
        ):
            return self._make_clip_from_world()
        state = [part._version for part in parts]
        kept = self.__dict__.get("_kept_clip_from_world")
        if kept is None or kept[0] != state or torch.is_inference_mode_enabled():
            kept = (state, self._make_clip_from_world())
            if not torch.is_inference_mode_enabled():
                object.__setattr__(self, "_kept_clip_from_world", kept)
        return kept[1]

    def _make_clip_from_world(self) -> Tensor:
        projection = clip_from_view(
            self.K.double(),
            self.image_size,
            near=self.near,
            far=self.far,
            orthographic=self.orthographic,
        )
        return projection @ self.world_to_view.double()


def _as_float64(values: ArrayLike) -> Tensor:
    return torch.as_tensor(np.asarray(values) if isinstance(values, list | tuple) else values).to(
        torch.float64
    )


def _batched(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Tensor:
    """`values` as float64 with a leading camera dimension."""
    tensor = _as_float64(values)
    if tensor.shape == shape:
        tensor = tensor[None]
    if tensor.ndim != len(shape) + 1 or tensor.shape[1:] != shape:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"{name} must be (N, {wanted}) or ({wanted}), got {tuple(tensor.shape)}")
    return tensor


def _look_at_view(eye: ArrayLike, target: ArrayLike, up: ArrayLike) -> Tensor:
    points = [_batched(name, p, (3,)) for name, p in (("eye", eye), ("target", target), ("up", up))]
    device = next((p.device for p in (eye, target, up) if isinstance(p, Tensor)), None)
    eyes, targets, ups = torch.broadcast_tensors(*(point.to(device) for point in points))
    rotation = look_at_rotation(eyes, targets, ups)
    return rigid(rotation, -(rotation @ eyes[:, :, None])[:, :, 0])


def _centred_intrinsics(view: Tensor, focal: float, image_size: tuple[int, int]) -> Tensor:
    height, width = image_size
    K = view.new_tensor([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    return K.repeat(len(view), 1, 1)


def _half_pixel_intrinsics(K: Tensor, pixel_centers: PixelCenters) -> Tensor:
    if pixel_centers not in ("integer", "half"):
        raise ValueError(f'pixel_centers must be "integer" or "half", got {pixel_centers!r}')
    if pixel_centers == "half":
        return K
    return K + K.new_tensor([[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
