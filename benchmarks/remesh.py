"""Time of `remesh` per iteration and of `self_intersections`, with what remeshing does to a mesh.

    python benchmarks/remesh.py

Times are the best of several runs, in ms. `a pass` is one iteration (split, collapse, flip, relax
with projection), `in all` five of them with everything before and after. The start meshes are
spheres with waves, cut up unevenly, so that every pass has work to do.
"""

import argparse

import torch
from stopwatch import best_ms, machine

from lightning_rast.optim import local_thickness, remesh
from lightning_rast.scene import Mesh, icosphere, self_intersections


def uneven_ball(level: int) -> Mesh:
    """A wavy ball whose faces are squeezed towards one side."""
    ball = icosphere(level)
    direction = torch.tensor([[3.0, -2.0, 1.0], [1.0, 4.0, 2.0], [-2.0, 1.0, 5.0]])
    wave = torch.sin(ball.verts @ direction).sum(dim=1, keepdim=True)
    squeezed = ball.verts + 0.4 * torch.tensor([[1.0, 0.0, 0.0]])
    return ball.with_verts(squeezed / squeezed.norm(dim=1, keepdim=True) * (1 + 0.1 * wave))


def length_for(mesh: Mesh, num_faces: int) -> float:
    """Edges of so many equal-sided triangles with the mesh's area."""
    return float(mesh.area / num_faces / (3**0.5 / 4)) ** 0.5


def row(level: int, num_faces: int, threads: int) -> str:
    torch.set_num_threads(threads)
    mesh = uneven_ball(level)
    wish = length_for(mesh, num_faces)
    five, none = (
        best_ms(lambda n=n: remesh(mesh, wish, iterations=n), repeats=5, seconds=1) for n in (5, 0)
    )
    made = remesh(mesh, wish).mesh
    a, b = made.verts[made.topology.edge_verts.long()].unbind(1)
    ratio = (a - b).norm(dim=1) / wish
    crossing = best_ms(lambda: self_intersections(made), repeats=5, seconds=0.5)
    thickness = best_ms(lambda: local_thickness(made), repeats=3, seconds=0.5)
    within = ((ratio > 0.5) & (ratio < 1.6)).float().mean()
    cells = [f"{mesh.num_faces}", f"{made.num_faces}", f"{threads}", f"{(five - none) / 5:.1f}"]
    cells += [f"{five:.0f}", f"{float(within):.4f}", f"{float(made.volume / mesh.volume) - 1:+.5f}"]
    return " | ".join([*cells, f"{crossing:.1f}", f"{thickness:.0f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    print(", ".join(f"{key} {value}" for key, value in machine().items()) + "\n")
    header = ["faces", "result", "threads", "a pass", "in all", "length .5..1.6", "volume"]
    header += ["self_intersections", "local_thickness"]
    print(" | ".join(header) + "\n" + " | ".join(["---"] * len(header)))
    for level, num_faces in ((5, 5_000), (5, 20_000), (5, 50_000), (6, 20_000), (6, 50_000)):
        for threads in options.threads:
            print(row(level, num_faces, threads), flush=True)


if __name__ == "__main__":
    main()
