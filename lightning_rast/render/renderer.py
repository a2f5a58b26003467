"""Mesh and cameras in, images out."""

import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float, Int32
from torch import Tensor
from torch.nn.functional import avg_pool2d

from lightning_rast.ops import (
    Fragments,
    antialias,
    contour_coverage,
    fill_thin_parts,
    interpolate,
    rasterize,
    visible_faces,
)
from lightning_rast.ops.advice import warn_about_inside_out, warn_about_seams
from lightning_rast.render.paint import Paint
from lightning_rast.render.shading import Lights, shaded
from lightning_rast.scene import Camera, Mesh
from lightning_rast.scene.normals import NormalWeighting

Output = Literal["coverage", "depth", "normals", "color", "face_idx"]
Shading = Literal["smooth", "creased", "flat"]
Colors = Tensor | Paint | None
OUTPUTS: tuple[Output, ...] = typing.get_args(Output)


@dataclass(frozen=True, kw_only=True, eq=False)
class Rendering:
    """Images of N views, row 0 at the top; None where not asked for.

    coverage: how much of the pixel the mesh covers, 0..1; of an image that is not antialiased,
        whether it covers the centre: 0 or 1, or how many of several samples it covers.
    depth: distance from the camera along its optical axis (z in view coordinates), in world units,
        of perspective and orthographic cameras alike; 0 on the background.
    normals: of length 1, in the world's frame, on the side that the faces' winding says, even
        where the other one is seen; 0 on the background. Means of several are shorter where the
        surface turns within the pixel.
    color: linear (`srgb_from_linear` makes it fit for a file).
    face_idx: the face that is seen at the pixel's centre, -1 where there is none. No gradient.
        Parts too thin to hit a centre have none.

    Where outlines are antialiased or samples averaged, a pixel holds the surface's depth, normal or
    colour times `coverage`, plus the background times the rest, and depth and normals divided by
    `coverage` are the surface's own again, of several samples their mean: antialiased, also where a
    part or a gap is too thin for a pixel's centre to hit it.
    """

    coverage: Float[Tensor, "N H W"] | None = None
    depth: Float[Tensor, "N H W"] | None = None
    normals: Float[Tensor, "N H W 3"] | None = None
    color: Float[Tensor, "N H W C"] | None = None
    face_idx: Int32[Tensor, "N H W"] | None = None


@dataclass(frozen=True, kw_only=True)
class Renderer:
    """Renders the images that `outputs` names, and computes nothing else.

    outputs: any of coverage, depth, normals, color, face_idx.
    shading: normals are "smooth" all over, "flat" on each face, or "creased": smooth but at edges
        that bend by more than `crease_deg`. Those are looked up on the CPU in every call, which
        takes longer than the rest of it: meant for pictures.
    weighting: how much each face counts in the smooth normal of its vertex (`Mesh.vertex_normals`):
        by its "area", by its "angle" there, or as on a "sphere".
    lights: None leaves colours as they are.
    antialias: outlines are averaged over the pixel, and gradients say how moving them would change
        the images. Without it pixels show what is at their centre, and gradients reach vertices
        through the inside of faces only.
    albedo: linear colour of the surface where a call brings none.
    background: of `color`, linear: one number per channel, or one for all. With 0 the image is
        premultiplied by `coverage`, ready to be put over another.
    supersampling: every pixel is the mean of so many samples in each direction, antialiased or not,
        and so are gradients; time and memory grow with the square. `face_idx` stays that of the
        pixel's centre, and antialiased coverage, which is exact, keeps its value. For losses on
        normals or lit colours: near outlines these turn so fast that the gradient of a single
        sample is a guess.

    Raises:
        ValueError: an unknown name, or `supersampling` is not a whole number of at least 1.
    """

    outputs: tuple[Output, ...] = OUTPUTS
    shading: Shading = "smooth"
    crease_deg: float = 40.0
    weighting: NormalWeighting = "area"
    lights: Lights | None = field(default_factory=Lights)
    antialias: bool = True
    albedo: tuple[float, ...] = (0.7, 0.7, 0.7)
    background: float | tuple[float, ...] = 0.0
    supersampling: int = 1

    def __post_init__(self) -> None:
        unknown = [name for name in self.outputs if name not in OUTPUTS]
        if unknown or not self.outputs:
            found = f"got {unknown[0]!r}" if unknown else "got none"
            raise ValueError(f"outputs must be some of {', '.join(OUTPUTS)}; {found}")
        shadings = typing.get_args(Shading)
        if self.shading not in shadings:
            raise ValueError(f"shading must be one of {', '.join(shadings)}; got {self.shading!r}")
        weightings = typing.get_args(NormalWeighting)
        if self.weighting not in weightings:
            raise ValueError(
                f"weighting must be one of {', '.join(weightings)}; got {self.weighting!r}"
            )
        if type(self.supersampling) is not int or self.supersampling < 1:
            raise ValueError(
                "supersampling must be a whole number of at least 1, of samples per pixel and "
                f"side; got {self.supersampling!r}"
            )

    def __call__(
        self,
        mesh: Mesh,
        camera: Camera,
        colors: Float[Tensor, "V C"] | Float[Tensor, "N V C"] | Paint | None = None,
    ) -> Rendering:
        """Images of the mesh in each view, in the type of `mesh.verts` and on its device.

        colors: linear albedo of the vertices, of all views or of each, with any number of channels;
            or a `TextureMap`, `AssetColors`, or anything else that knows the colour of each pixel.

        Differentiable in `mesh.verts`, `colors`, `camera.K` and `camera.world_to_view`.

        Raises:
            TypeError: `colors` are nothing of the above.
            ValueError: a shape or device does not fit, a vertex is not finite on the screen, or
                `supersampling` makes 2**31 samples or more of a view.
        """
        self._warn(mesh)
        verts_clip = camera.world_to_clip(mesh.verts)
        images: dict[str, Tensor] = {}
        if set(self.outputs) != {"face_idx"}:
            draw = self._antialiased if self.antialias else self._at_centres
            images = draw(mesh, self._of_samples(camera), colors, verts_clip)
        if "color" in images:
            images["color"] = self._over_background(images["color"], images["coverage"])
        if "face_idx" in self.outputs and ("face_idx" not in images or self.supersampling > 1):
            images["face_idx"] = visible_faces(verts_clip, mesh.faces, camera.image_size).face_idx
        return Rendering(**{name: images[name] for name in self.outputs})

    def _of_samples(self, camera: Camera) -> Camera:
        """Whose pixels are the samples."""
        if self.supersampling == 1:
            return camera
        height, width = (pixels * self.supersampling for pixels in camera.image_size)
        if height * width >= 2**31:
            raise ValueError(
                f"supersampling = {self.supersampling} of images of {camera.image_size} makes "
                f"({height}, {width}) samples, and fewer than 2**31 are possible; lower one of them"
            )
        return camera.resized((height, width))

    def _at_centres(
        self, mesh: Mesh, camera: Camera, colors: Colors, verts_clip: Tensor
    ) -> dict[str, Tensor]:
        fragments = rasterize(verts_clip, mesh.faces, camera.image_size)
        images = self._surface(mesh, camera, colors, verts_clip, fragments)
        images["coverage"] = (fragments.face_idx >= 0).to(verts_clip.dtype)
        images = {name: _means(image, self.supersampling) for name, image in images.items()}
        return images | {"face_idx": fragments.face_idx}

    def _antialiased(
        self, mesh: Mesh, camera: Camera, colors: Colors, verts_clip: Tensor
    ) -> dict[str, Tensor]:
        coverage = contour_coverage(verts_clip, mesh.topology, camera.image_size)
        images = {"coverage": _means(coverage, self.supersampling)}
        if set(self.outputs) <= {"coverage", "face_idx"}:
            return images
        fragments = rasterize(verts_clip, mesh.faces, camera.image_size)
        filled = fill_thin_parts(fragments, coverage, verts_clip, mesh.topology)
        surface = self._surface(mesh, camera, colors, verts_clip, filled)
        images |= _blended(surface, filled, verts_clip, mesh, self.supersampling)
        return images | {"face_idx": fragments.face_idx}

    def _warn(self, mesh: Mesh) -> None:
        if self.antialias and mesh.verts.requires_grad:
            warn_about_seams(mesh.verts, mesh.topology)
        if "normals" in self.outputs:
            warn_about_inside_out(mesh.verts, mesh.topology)

    def _surface(
        self,
        mesh: Mesh,
        camera: Camera,
        colors: Colors,
        verts_clip: Tensor,
        fragments: Fragments,
    ) -> dict[str, Tensor]:
        """What the fragments show; 0 where they show nothing."""
        images: dict[str, Tensor] = {}
        if "depth" in self.outputs:
            images["depth"] = _depth(mesh, camera, fragments)
        lights = self.lights if "color" in self.outputs else None
        if "normals" in self.outputs or lights is not None:
            images["normals"] = self._normals(mesh, fragments)
        if "color" in self.outputs:
            color = self._albedo(mesh, colors, verts_clip, fragments)
            if lights is not None:
                side = torch.where(_is_seen_from_behind(mesh, camera, fragments), -1, 1)
                color = shaded(color, side * images["normals"], camera, lights)
            images["color"] = color * (fragments.face_idx[..., None] >= 0)
        return {name: image for name, image in images.items() if name in self.outputs}

    def _normals(self, mesh: Mesh, fragments: Fragments) -> Tensor:
        if self.shading == "smooth":
            normals = interpolate(mesh.vertex_normals(self.weighting), mesh.faces, fragments)
        elif self.shading == "flat":
            normals = interpolate(mesh.face_normals[:, None].expand(-1, 3, 3), None, fragments)
        else:
            at_corners = mesh.corner_normals(crease_deg=self.crease_deg, weighting=self.weighting)
            normals = interpolate(at_corners, None, fragments)
        # Shorter than one where the corners' differ; what is hardly there at all has no direction.
        return normals * normals.square().sum(dim=3, keepdim=True).clamp(min=1e-12).rsqrt()

    def _albedo(
        self,
        mesh: Mesh,
        colors: Colors,
        verts_clip: Tensor,
        fragments: Fragments,
    ) -> Tensor:
        if isinstance(colors, Tensor):
            return interpolate(colors, mesh.faces, fragments)
        if colors is not None and not isinstance(colors, Paint):
            raise TypeError(
                "Renderer: colors must be a torch.Tensor (torch.as_tensor() makes one), a "
                "TextureMap or AssetColors (AssetColors.of(asset, mesh.verts) takes those of a "
                f"file), got {type(colors).__name__}"
            )
        if colors is not None:
            return colors.at(mesh, verts_clip, fragments)
        constant = _constant(self.albedo, mesh.verts)
        return constant.expand(*fragments.face_idx.shape, len(constant))

    def _over_background(self, color: Tensor, coverage: Tensor) -> Tensor:
        """`color` is premultiplied."""
        values, num_channels = self.background, color.shape[-1]
        if isinstance(values, int | float):
            values = (values,) * num_channels
        if len(values) != num_channels:
            raise ValueError(f"background has {len(values)} channels, the colours {num_channels}")
        if not any(values):
            return color
        return color + (1 - coverage)[..., None] * _constant(values, color)


def _constant(values: Sequence[float], like: Tensor) -> Float[Tensor, " C"]:
    # Filled in by the device: copying numbers from the host would make it wait.
    return torch.stack([like.new_full((), value) for value in values])


@torch.no_grad()
def _is_seen_from_behind(mesh: Mesh, camera: Camera, fragments: Fragments) -> Tensor:
    """(N, H, W, 1). The faces decide: at outlines, smooth normals may point away from the camera
    where the front is seen."""
    if mesh.num_faces == 0:
        return torch.zeros_like(fragments.face_idx, dtype=torch.bool)[..., None]
    normals, corner = mesh.face_area_vectors.double(), mesh.corners[:, 0].double()
    if camera.orthographic:
        is_behind = camera.world_to_view[:, 2, :3].double() @ normals.mT > 0
    else:
        R, t = camera.world_to_view[:, :3, :3].double(), camera.world_to_view[:, :3, 3].double()
        # Not `center_world`: solving a system makes the host wait for the device.
        center = -(t[:, None] @ R)[:, 0]
        is_behind = center @ normals.mT < (normals * corner).sum(dim=1)
    num_views = len(camera)
    face = fragments.face_idx.clamp(min=0).reshape(num_views, -1).long()
    return is_behind.gather(1, face).reshape(*fragments.face_idx.shape, 1)


def _depth(mesh: Mesh, camera: Camera, fragments: Fragments) -> Tensor:
    if not camera.orthographic:
        return fragments.depth  # clip w, which is z in view coordinates
    z = camera.world_to_view_points(mesh.verts)[..., 2:]
    return interpolate(z, mesh.faces, fragments)[..., 0]


def _blended(
    images: dict[str, Tensor],
    fragments: Fragments,
    verts_clip: Tensor,
    mesh: Mesh,
    supersampling: int,
) -> dict[str, Tensor]:
    """Antialiased and averaged, all in one pass, side by side as channels."""
    shape = fragments.face_idx.shape
    channels = [image.reshape(*shape, -1) for image in images.values()]
    joined = torch.cat(channels, dim=-1)
    blended = antialias(joined, fragments, verts_clip, mesh.topology, premultiplied=True)
    blended = _means(blended, supersampling)
    parts = blended.split([image.shape[-1] for image in channels], dim=-1)
    return {
        name: part.reshape(*part.shape[:3], *image.shape[3:])
        for (name, image), part in zip(images.items(), parts, strict=True)
    }


def _means(image: Tensor, side: int) -> Tensor:
    """Of blocks of pixels: (N, H side, W side, ...) to (N, H, W, ...)."""
    if side == 1:
        return image
    channels = image.reshape(*image.shape[:3], -1).movedim(3, 1)
    means = avg_pool2d(channels, side).movedim(1, 3)
    return means.reshape(*means.shape[:3], *image.shape[3:])
