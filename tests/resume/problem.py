"""A small reconstruction that takes about a second, with all that has state over the steps."""

from pathlib import Path

import torch

from lightning_rast.scene import icosphere

STEPS = 400
CHECKPOINT_EVERY = 15

# View order, pyramid, subdivision, smoothing.
CONFIG = f"""
preset: sphere
seed: 5
device: cpu
threads: 1
data: {{mesh: bumpy.obj, num_views: 6, num_held_out: 2, image_size: 32}}
start: {{subdivisions: 2}}
schedule:
  steps: {STEPS}
  views_per_step: 4
  pyramid: [2, 1]
  pyramid_at: [0.0, 0.3]
  subdivide_at: [0.6]
log: {{checkpoint_every_n_steps: {CHECKPOINT_EVERY}, image_every_n_steps: 0, mesh_every_n_steps: 0,
       turntable: false}}
"""


def write_problem(folder: Path) -> None:
    mesh = icosphere(2)
    verts = mesh.verts * (1 + 0.3 * torch.sin(3 * mesh.verts[:, :1]))
    lines = [f"v {x} {y} {z}" for x, y, z in verts.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (mesh.faces + 1).tolist()]
    (folder / "bumpy.obj").write_text("\n".join(lines))
    (folder / "bumpy.yaml").write_text(CONFIG)
