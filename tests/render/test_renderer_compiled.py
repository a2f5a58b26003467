"""`Renderer` under torch.compile."""

import subprocess
import sys
from pathlib import Path

import pytest

COMPILED = """
import torch
from lightning_rast.render import Renderer
from lightning_rast.scene import Camera, icosphere

mesh, renderer = icosphere(2), Renderer(supersampling=SUPERSAMPLING)
assert mesh.topology.is_closed  # known before, since building it is no part of a graph
camera = Camera.look_at([[0, 0, 3.0], [3, 1, 0]], fov_deg=40, image_size=(24, 32))

def value(verts):
    made = vars(renderer(mesh.with_verts(verts), camera)).values()
    return sum(image.double().sin().sum() for image in made)

found = []
for function in (value, torch.compile(value, fullgraph=True, backend="aot_eager")):
    verts = mesh.verts.clone().requires_grad_()
    result = function(verts)
    result.backward()
    found.append((result.detach(), verts.grad))
torch.testing.assert_close(found[1], found[0])
"""


@pytest.mark.slow
@pytest.mark.parametrize("supersampling", [1, 2])
def test_it_compiles_as_one_graph(supersampling):
    # In a process of its own: dynamo cannot trace the checks of shapes that tests switch on.
    script = COMPILED.replace("SUPERSAMPLING", str(supersampling))
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])
