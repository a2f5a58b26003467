"""Time of `remesh` per iteration and of `self_intersections`, with what remeshing does to a mesh.

    python benchmarks/remesh.py

Times are the best of several runs, in ms. `a pass` is one iteration (split, collapse, flip, relax
with projection), `in all` five of them with everything before and after. The start meshes are
spheres with waves, cut up unevenly, so that every pass has work to do. Then: by how much the volume
changes, with the result balanced and with its vertices on the input.
"""

import argparse
from pathlib import Path

import torch
from stopwatch import best_ms, machine

from lightning_rast.optim import local_thickness, remesh
from lightning_rast.scene import Mesh, cube, icosphere, load_mesh, self_intersections

KETTLE = Path(__file__).resolve().parents[1] / "data" / "models" / "kettle.glb"


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


def volume_row(name: str, mesh: Mesh, wish: float, times: int = 1) -> str:
    cells = [name]
    for balance in (True, False):
        made = mesh
        for _ in range(times):
            made = remesh(made, wish, balance=balance).mesh
        cells.append(f"{100 * (float(made.volume / mesh.volume) - 1):+.2f} %")
    return " | ".join(cells)


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

    kettle = load_mesh(KETTLE).weld()
    size = float((kettle.bounds[1] - kettle.bounds[0]).max())
    print("\nvolume | balanced | on the input\n--- | --- | ---")
    print(volume_row("cube of size 1, edges .1", cube(), 0.1))
    print(volume_row("ball of radius 1, edges 1/3", icosphere(5), 1 / 3))
    for part in (0.02, 0.04):
        print(volume_row(f"kettle, edges of {100 * part:.0f} % of its size", kettle, part * size))
    print(volume_row("kettle, edges of 3 %, eight times in a row", kettle, 0.03 * size, 8))


if __name__ == "__main__":
    main()
