"""Views of an object: cameras with the coverage images that they saw."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lightning_rast.data.area import area_average, downscaled_size
from lightning_rast.data.errors import ViewsError as ViewsError
from lightning_rast.data.sources import ViewSource
from lightning_rast.scene import Camera

# The near plane, as a part of the distance to the object, so that objects of any unit fit.
NEAR_OF_DISTANCE = 1e-3
_ROUNDING = 1e-3  # of averages and resampling


@dataclass(frozen=True)
class Views:
    """N cameras and their target images, all of one size.

    coverage: the fraction of each pixel's square that the object covers, 0..1.
    known: False where nothing was measured (padding); such pixels are neither inside nor
        outside. None = everything is known. What lies beyond the image is always unknown.
    names: one per view, for people.
    sources: the file that each view comes from, where that may be larger than it is here.
    """

    cameras: Camera
    coverage: Float[Tensor, "N H W"]
    names: tuple[str, ...]
    known: Bool[Tensor, "N H W"] | None = None
    sources: tuple[ViewSource, ...] | None = None

    def __post_init__(self) -> None:
        num_views = len(self.cameras)
        expected = (num_views, *self.cameras.image_size)
        if tuple(self.coverage.shape) != expected:
            raise ViewsError(
                f"coverage must be {expected} for these cameras, got {tuple(self.coverage.shape)}"
            )
        if self.known is not None and self.known.shape != self.coverage.shape:
            raise ViewsError(f"known must be {expected}, got {tuple(self.known.shape)}")
        if len(self.names) != num_views:
            raise ViewsError(f"{num_views} cameras but {len(self.names)} names")
        # Looking at values would stall a CUDA stream on every slice of a batch.
        if self.coverage.device.type == "cpu" and self.coverage.numel():
            self._check_values()

    def _check_values(self) -> None:
        low, high = self.coverage.detach().flatten(1).aminmax(dim=1)
        is_bad = ~((low >= -_ROUNDING) & (high <= 1 + _ROUNDING))  # NaN, too
        if bool(is_bad.any()):
            view = int(is_bad.nonzero()[0, 0])
            raise ViewsError(
                f"coverage of {self.names[view]} must lie between 0 (outside) and 1 (inside), got "
                f"{float(low[view]):g} to {float(high[view]):g}"
            )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def files(self) -> tuple[Path, ...] | None:
        """The image files that the masks come from."""
        return None if self.sources is None else tuple(source.path for source in self.sources)

    @property
    def photographs(self) -> tuple[Path | None, ...]:
        """Of each view the colour image, as it is in its file, where there is one."""
        if self.sources is None:
            return (None,) * len(self)
        return tuple(source.photograph for source in self.sources)

    @property
    def image_size(self) -> tuple[int, int]:
        return self.cameras.image_size

    def __getitem__(self, index: Sequence[int]) -> "Views":
        """The views at these positions, in this order."""
        chosen = torch.as_tensor(list(index), dtype=torch.long, device=self.coverage.device)
        return Views(
            cameras=self.cameras[chosen.to(self.cameras.K.device)],
            coverage=self.coverage[chosen],
            names=tuple(self.names[i] for i in index),
            known=None if self.known is None else self.known[chosen],
            sources=None if self.sources is None else tuple(self.sources[i] for i in index),
        )

    def to(self, device: torch.device | str) -> "Views":
        """These views with all tensors on `device`."""
        if self.coverage.device == torch.device(device):
            return self
        known = None if self.known is None else self.known.to(device)
        cameras, coverage = self.cameras.to(device), self.coverage.to(device)
        return replace(self, cameras=cameras, coverage=coverage, known=known)

    def downscaled(self, factor: float) -> "Views":
        """The same views with pixels `factor` times as large, by area averaging.

        A coarse pixel is known only when its whole footprint is.
        """
        image_size = downscaled_size(self.image_size, factor)
        if image_size == self.image_size:
            return self
        known = None
        if self.known is not None:
            known = area_average(self.known.to(self.coverage.dtype), image_size) > 1 - 1e-6
        return Views(
            cameras=self.cameras.resized(image_size),
            coverage=area_average(self.coverage, image_size),
            names=self.names,
            known=known,
            sources=None if self.sources is None else self._scaled_sources(image_size),
        )

    def _scaled_sources(self, image_size: tuple[int, int]) -> tuple[ViewSource, ...]:
        y, x = (old / new for old, new in zip(self.image_size, image_size, strict=True))
        assert self.sources is not None
        return tuple(
            replace(source, scale=(source.scale[0] * y, source.scale[1] * x))
            for source in self.sources
        )

    def pyramid(self, factors: Sequence[int]) -> list["Views"]:
        """One level per factor, in the order given; each is made from the full images."""
        return [self.downscaled(factor) for factor in factors]


def split_held_out(views: Views, *, every: int, offset: int) -> tuple[Views, Views | None]:
    """Training and held-out views; view i is held out when i % every == offset.

    With `every` 0, or when it would hold out nothing, the second is None.

    Raises:
        ViewsError: if no view would be left for training.
    """
    held_out = [i for i in range(len(views)) if every and i % every == offset]
    training = [i for i in range(len(views)) if i not in held_out]
    if not training:
        raise ViewsError(
            f"all {len(views)} views would be held out (every {every}, offset {offset});"
            " use held_out_every=0 to train on all of them"
        )
    return (views[training], views[held_out]) if held_out else (views, None)
