"""Which way is up in the world, as far as images tell."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

_LEAST_AGREEMENT = 0.3  # of the cameras' upward directions, for their mean to mean something
_SAY_OF_MEAN = 0.01  # decides where all images have the same horizon, and hardly elsewhere
_NEARLY = 0.97  # cosine


def upwards(camera_to_world: Float[Tensor, "N 4 4"]) -> list[float]:
    """The direction, as a unit vector, that is up in most of the images; y where they differ.

    camera_to_world: with OpenGL's axes, as `Camera.to_opengl` gives them. Photographers keep the
    horizon level, and look down more or less: up is what the images' x axes are nearest to being
    perpendicular to, on the side of their y axes. A world axis that is nearly meant is taken to be
    that axis.
    """
    poses = camera_to_world.detach().double().cpu()
    rights, ups = (torch.nn.functional.normalize(poses[:, :3, axis], dim=1) for axis in (0, 1))
    mean = ups.mean(dim=0)
    if float(mean.norm()) < _LEAST_AGREEMENT:
        return [0.0, 1.0, 0.0]
    cost = rights.mT @ rights / len(poses) - _SAY_OF_MEAN * torch.outer(mean, mean)
    unit = torch.linalg.eigh(cost).eigenvectors[:, 0]
    unit = (unit * torch.sign(unit @ mean)).numpy()
    axis = int(np.argmax(np.abs(unit)))
    if abs(unit[axis]) > _NEARLY:
        unit = np.eye(3)[axis] * np.sign(unit[axis])
    return [round(float(x), 6) for x in unit]


def turn_from_y(up: Sequence[float]) -> Float[Tensor, "3 3"]:
    """The rotation that takes y to a direction the short way; about x where there is none.

    `points @ turn` stands upright what has `up` upwards. In double, on the CPU.
    """
    x, y, z = (float(each) / math.hypot(*up) for each in up)
    if y < -1 + 1e-9:
        return torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64, device="cpu"))
    rows = [
        [1 - x * x / (1 + y), x, -x * z / (1 + y)],
        [-x, y, -z],
        [-x * z / (1 + y), z, 1 - z * z / (1 + y)],
    ]
    return torch.tensor(rows, dtype=torch.float64, device="cpu")
