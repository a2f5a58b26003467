"""Face number, barycentrics and depth of every pixel, by other rasterizers as far as installed.

Each peer draws all views of one mesh from clip space or from what it takes instead, setup per mesh
not timed, and returns face numbers (N, H, W), -1 for the background, so that the pictures can be
compared.
"""

import os
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from scenes import Scene
from torch import Tensor

from lightning_rast.ops import rasterize
from lightning_rast.scene import Camera

Draw = Callable[[], Tensor]


def visibility_peers(scene: Scene, camera: Camera, threads: int) -> dict[str, Draw]:
    """Everything that can be imported here, ours first."""
    found = {"lightning_rast": ours(scene, camera)}
    if find_spec("moderngl") is not None:
        found["llvmpipe"] = opengl(scene, camera, threads, barycentrics=True)
        found["llvmpipe, no barycentrics"] = opengl(scene, camera, threads, barycentrics=False)
    if find_spec("deodr") is not None and threads == 1:
        found["DEODR"] = deodr(scene, camera)
    if find_spec("drtk") is not None and find_spec("drtk.edge_grad_ext") is not None:
        found["DRTK"] = drtk(scene, camera)
    return found


def ours(scene: Scene, camera: Camera) -> Draw:
    verts_clip = camera.world_to_clip(scene.mesh.verts).contiguous()
    faces, size = scene.mesh.faces, camera.image_size
    return lambda: rasterize(verts_clip, faces, size).face_idx


# gl_VertexID needs triangles that share no vertex; the shader's work per vertex is one product.
_WITH_BARYCENTRICS = (
    """#version 330
    in vec3 position;
    uniform mat4 world_to_clip;
    out vec2 bary;
    void main() {
      gl_Position = world_to_clip * vec4(position, 1.0);
      int corner = gl_VertexID % 3;
      bary = vec2(corner == 0, corner == 1);
    }""",
    """#version 330
    in vec2 bary;
    out vec4 fragment;
    void main() { fragment = vec4(float(gl_PrimitiveID + 1), bary, 1.0 / gl_FragCoord.w); }""",
)
_WITHOUT_BARYCENTRICS = (
    """#version 330
    in vec3 position;
    uniform mat4 world_to_clip;
    void main() { gl_Position = world_to_clip * vec4(position, 1.0); }""",
    """#version 330
    out vec2 fragment;
    void main() { fragment = vec2(float(gl_PrimitiveID + 1), 1.0 / gl_FragCoord.w); }""",
)


def opengl(scene: Scene, camera: Camera, threads: int, *, barycentrics: bool) -> Draw:
    """OpenGL on the CPU: RGBA32F of face, two barycentrics, depth; read back.

    Without barycentrics it may share vertices between triangles: the least that it can do.
    World positions lie in its buffers before the clock starts.
    """
    import moderngl

    # Read when the driver starts: so many workers beside the calling thread, which waits.
    os.environ["LP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
    context = moderngl.create_standalone_context(backend="egl")
    name = str(context.info["GL_RENDERER"])
    if "llvmpipe" not in name:
        raise RuntimeError(f"OpenGL is drawn by {name}, not by llvmpipe on the CPU")
    sources = _WITH_BARYCENTRICS if barycentrics else _WITHOUT_BARYCENTRICS
    program = context.program(vertex_shader=sources[0], fragment_shader=sources[1])
    verts, faces = scene.mesh.verts.float().numpy(), scene.mesh.faces.numpy().astype(np.int32)
    if barycentrics:
        soup = context.buffer(np.ascontiguousarray(verts[faces.ravel()]).tobytes())
        triangles = context.vertex_array(program, [(soup, "3f", "position")])
    else:
        shared, index = context.buffer(verts.tobytes()), context.buffer(faces.tobytes())
        triangles = context.vertex_array(program, [(shared, "3f", "position")], index)
    height, width = camera.image_size
    channels = 4 if barycentrics else 2
    target = context.framebuffer(
        [context.texture((width, height), channels, dtype="f4")],
        context.depth_texture((width, height)),
    )
    context.enable(moderngl.DEPTH_TEST)
    context.disable(moderngl.CULL_FACE)
    matrices = _narrow_clip(camera).float().transpose(1, 2).contiguous().numpy()
    pictures = np.empty((len(matrices), height, width, channels), dtype=np.float32)

    def draw() -> Tensor:
        with context:
            target.use()
            for matrix, picture in zip(matrices, pictures, strict=True):
                context.clear(0.0, 0.0, 0.0, 0.0)
                program["world_to_clip"].write(matrix.tobytes())
                triangles.render()
                target.read_into(picture, components=channels, dtype="f4")
        # OpenGL's first row is the lowest.
        return torch.from_numpy(pictures[:, ::-1, :, 0].astype(np.int32)) - 1

    return draw


def _narrow_clip(camera: Camera) -> Tensor:
    """World to clip with near and far close around the scene: depth in float needs that."""
    basis = torch.eye(4, dtype=torch.float64)[:, :3]
    origin = camera.world_to_clip(torch.zeros(1, 3, dtype=torch.float64))[:, 0]
    axes = camera.world_to_clip(basis[:3].contiguous()) - origin[:, None]
    matrix = torch.cat([axes, origin[:, None]], dim=1).transpose(1, 2).clone()
    near, far = 0.5, 8.0
    matrix[:, 2] = (far + near) / (far - near) * matrix[:, 3]
    matrix[:, 2, 3] -= 2 * far * near / (far - near)
    return matrix


def deodr(scene: Scene, camera: Camera) -> Draw:
    """What its deferred renderer draws: face, three barycentrics and depth as colours of a soup."""
    from deodr.differentiable_renderer import Scene2D

    height, width = camera.image_size
    faces = scene.mesh.faces.long().numpy()
    num_faces = len(faces)
    soup = np.arange(3 * num_faces, dtype=np.uint32).reshape(num_faces, 3)
    screen = camera.project(scene.mesh.verts.double()).numpy()
    depths = camera.world_to_view_points(scene.mesh.verts.double())[..., 2].numpy()
    colors = np.empty((3 * num_faces, 5))
    colors[:, 0] = np.repeat(np.arange(num_faces), 3)
    colors[:, 1:4] = np.tile(np.eye(3), (num_faces, 1))

    def draw_view(xy: np.ndarray, depth: np.ndarray) -> np.ndarray:
        soup_depth = depth[faces.ravel()]
        colors[:, 4] = soup_depth
        picture = Scene2D(
            faces=soup,
            faces_uv=soup,
            ij=np.ascontiguousarray(xy[faces.ravel()]),
            depths=soup_depth,
            textured=np.zeros(num_faces, dtype=bool),
            uv=np.zeros((3 * num_faces, 2)),
            shade=np.zeros(3 * num_faces),
            colors=colors,
            shaded=np.zeros(num_faces, dtype=bool),
            edgeflags=np.zeros((num_faces, 3), dtype=bool),
            height=height,
            width=width,
            nb_colors=5,
            texture=np.zeros((0, 0)),
            background_color=np.array([-1.0, 0, 0, 0, 0]),
            clockwise=False,
            backface_culling=True,
            integer_pixel_centers=False,
        )
        image, _ = picture.render(sigma=0)
        return image[..., 0]

    def draw() -> Tensor:
        drawn = [draw_view(xy, depth) for xy, depth in zip(screen, depths, strict=True)]
        return torch.from_numpy(np.stack(drawn)).round().int()

    return draw


def drtk(scene: Scene, camera: Camera) -> Draw:
    import drtk  # pyright: ignore[reportMissingImports]

    height, width = camera.image_size
    faces = scene.mesh.faces.int()
    # A pixel's centre is an integer there.
    xy = camera.project(scene.mesh.verts) - 0.5
    depth = camera.world_to_view_points(scene.mesh.verts)[..., 2:]
    verts_pixel = torch.cat([xy, depth], dim=2).float()

    def draw() -> Tensor:
        index = drtk.rasterize(verts_pixel, faces, height, width)
        drtk.render(verts_pixel, faces, index)
        return index

    return draw
