"""A small ladder with every kind of stage, in about two seconds."""

from pathlib import Path

from lightning_rast.scene import save_mesh, torus

# A ring that starts as a ball: the topology must change on the way.
CONFIG = """
seed: 5
device: cpu
threads: 1
data: {mesh: ring.ply, num_views: 6, num_held_out: 2, image_size: 48}
start: {kind: sphere, subdivisions: 3}
schedule: {views_per_step: 4}
remesh: {edge: 0.08}
ladder: {bending: [0.1, 0.05], bending_from_sphere: [0.2], polish_steps: 8}
cameras: {enabled: true, bending: 0.1, needed: 1.0}
topology: {resolution: 48}
log: {checkpoint_every_n_steps: 1, image_every_n_steps: 0, mesh_every_n_steps: 0, turntable: false}
"""


def write_ladder_problem(folder: Path) -> None:
    save_mesh(torus(32, 16), folder / "ring.ply")
    (folder / "ring.yaml").write_text(CONFIG)
