"""What the live view shows, drawn through viser; knows nothing of training."""

import contextlib
import importlib.util
import io
import math
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lightning_rast.callbacks.clustering import clustered
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.photograph_image import photograph_in_view
from lightning_rast.data.views import Views
from lightning_rast.scene import Camera, Mesh
from lightning_rast.scene.upwards import upwards

HOST = "127.0.0.1"  # nobody but this machine's users
MISSING = 'the live view needs viser: pip install "lightning_rast[viewer]", or viewer.enabled=false'

_MOST_VERTS = 100_000  # sent at once; of a larger mesh a coarser copy
_CLAY, _TRAIN, _HELD_OUT = (212, 173, 145), (41, 128, 214), (224, 134, 44)
_FRUSTUM = 0.07  # of the distance to the object
_AWAY, _ELEVATION = 1.25, math.radians(25)  # of the visitor, in distances of the cameras
_IMAGE_SIDE = 128  # pixels, of what a frustum shows, at most
# Of reading photographs in all, for which training waits; masks are there already.
_MOST_SECONDS = 5.0


def has_viser() -> bool:
    return importlib.util.find_spec("viser") is not None


class ViewerScene:
    """A page with a mesh, cameras with their images, a line of status and buttons.

    on_pause, on_resume, on_close: called from another thread when a button is pressed.

    Raises:
        ModuleNotFoundError: viser is not installed.
    """

    def __init__(
        self,
        *,
        port: int,
        on_pause: Callable[[], None],
        on_resume: Callable[[], None],
        on_close: Callable[[], None],
    ) -> None:
        if not has_viser():
            raise ModuleNotFoundError(MISSING, name="viser")
        import viser  # an extra

        # Takes the next free port if this one is not. Its banner would say what the viewer says.
        with contextlib.redirect_stdout(io.StringIO()):
            self.server = viser.ViserServer(HOST, port, label="lightning_rast", verbose=False)
        # viser would offer to let everybody in, through a server of its authors.
        self.server.gui.configure_theme(show_share_button=False, show_logo=False)
        gui = self.server.gui
        self._status = gui.add_markdown("starting")
        self._progress = gui.add_progress_bar(0.0)
        self.pause_button = gui.add_button("Pause", icon=viser.Icon.PLAYER_PAUSE)
        self.resume_button = gui.add_button(
            "Continue", icon=viser.Icon.PLAYER_PLAY, color="green", visible=False
        )
        self.close_button = gui.add_button("Close", icon=viser.Icon.X, visible=False)
        self._edges = gui.add_checkbox("Edges", initial_value=False)
        self._cameras = gui.add_checkbox("Cameras", initial_value=True)
        self.pause_button.on_click(lambda _: on_pause())
        self.resume_button.on_click(lambda _: on_resume())
        self.close_button.on_click(lambda _: on_close())
        self._edges.on_update(lambda _: self._draw())
        self._cameras.on_update(lambda _: self._show_cameras())
        self._mesh: Mesh | None = None
        self._frusta: list[viser.CameraFrustumHandle] = []
        self._seconds_left = _MOST_SECONDS

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.server.get_port()}"

    def look_at(self, views: Views, *, center: Float[Tensor, "3"]) -> None:
        """Where up is, and where the page's visitor stands at first."""
        poses = views.cameras.to_opengl().double().cpu()
        up = upwards(poses)
        self.server.scene.set_up_direction(np.array(up))
        offsets = poses[:, :3, 3].numpy() - center.numpy()
        distance = float(np.linalg.norm(offsets, axis=1).mean())
        camera = self.server.initial_camera
        place = center.numpy() + _AWAY * distance * free_direction(offsets, np.array(up))
        camera.position = tuple(place.tolist())
        camera.look_at = tuple(center.tolist())

    def add_cameras(self, views: Views, *, center: Float[Tensor, "3"], is_held_out: bool) -> None:
        """A frustum for each view, with its photograph or its mask; a click looks from there."""
        from viser.transforms import SO3

        views = views.to("cpu")
        small = views.downscaled(-(-max(views.image_size) // _IMAGE_SIDE))
        start = time.perf_counter()
        images = list(_images(small, self._seconds_left))
        self._seconds_left -= time.perf_counter() - start
        poses = torch.linalg.inv(views.cameras.world_to_view.double()).numpy()
        group = "held_out" if is_held_out else "train"
        for index, (pose, image) in enumerate(zip(poses, images, strict=True)):
            fov, aspect = _shape(views.cameras, index)
            distance = float(np.linalg.norm(pose[:3, 3] - center.numpy()))
            frustum = self.server.scene.add_camera_frustum(
                f"/cameras/{group}/{index}",
                fov,
                aspect,
                scale=_FRUSTUM * distance,
                thickness=1.5,
                thickness_units="screen",
                color=_HELD_OUT if is_held_out else _TRAIN,
                image=image,
                format="png",
                wxyz=SO3.from_matrix(pose[:3, :3]).wxyz,
                position=pose[:3, 3],
            )
            frustum.on_click(_look_from)
            self._frusta.append(frustum)

    def show(self, mesh: Mesh, status: str, progress: float) -> None:
        """Replace the mesh and what is said of it (Markdown; progress 0..1)."""
        self._status.content = status
        self._progress.value = 100 * progress
        # A copy: training moves the vertices in place.
        self._mesh = clustered(mesh, max_verts=_MOST_VERTS)
        self._mesh = self._mesh.with_verts(self._mesh.verts.clone())
        self._draw()

    def say(self, status: str, *, paused: bool, may_close: bool = False) -> None:
        """Replace what is said, and offer the buttons that fit."""
        self._status.content = status
        self.pause_button.visible = not paused and not may_close
        self.resume_button.visible = paused and not may_close
        self.close_button.visible = may_close

    def stop(self) -> None:
        self.server.stop()

    def _draw(self) -> None:
        mesh = self._mesh
        if mesh is None:
            return
        verts, faces = mesh.verts.numpy(), mesh.faces.numpy()
        with self.server.atomic():
            self.server.scene.add_mesh_simple("/mesh", verts, faces, color=_CLAY, side="double")
            self.server.scene.add_mesh_simple(
                "/edges",
                verts,
                faces,
                color=(40, 40, 40),
                wireframe=True,
                visible=self._edges.value,
            )

    def _show_cameras(self) -> None:
        for frustum in self._frusta:
            frustum.visible = self._cameras.value


def free_direction(
    offsets: Float[np.ndarray, "N 3"], up: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3"]:
    """From a little above, as far as possible from all cameras, so that none stands in the way."""
    side = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    side /= np.linalg.norm(side)
    angles = np.arange(0, 2 * np.pi, np.pi / 36)[:, None]
    level = np.cos(angles) * side + np.sin(angles) * np.cross(up, side)
    directions = math.cos(_ELEVATION) * level + math.sin(_ELEVATION) * up
    towards = offsets / np.maximum(np.linalg.norm(offsets, axis=1, keepdims=True), 1e-12)
    return directions[np.argmin((directions @ towards.T).max(axis=1))]


def _images(views: Views, seconds: float) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Of each view the photograph; where there is none, or no time to begin with it, the mask."""
    masks = (255 * views.coverage.clamp(0, 1)).byte().numpy()
    until = time.perf_counter() + seconds
    failures: list[str] = []
    left_out = 0
    for index, mask in enumerate(masks):
        photograph = None
        if time.perf_counter() < until:
            try:
                photograph = photograph_in_view(views, index)
            except ViewsError as error:
                failures.append(str(error))
        elif views.photographs[index] is not None:
            left_out += 1
        yield np.repeat(mask[..., None], 3, axis=2) if photograph is None else photograph
    if failures:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        warnings.warn(  # noqa: B028
            f"{failures[0]}{more}; the live view shows the mask in its place"
        )
    if left_out:
        warnings.warn(  # noqa: B028
            f"{left_out} of {len(views)} photographs would take too long to read; the live view"
            " shows masks in their place"
        )


def _shape(cameras: Camera, index: int) -> tuple[float, float]:
    """Vertical field of view, radians, and width over height; as if seen through the middle."""
    height, width = cameras.image_size
    fx, fy = float(cameras.K[index, 0, 0]), float(cameras.K[index, 1, 1])
    return 2 * math.atan(height / 2 / fy), (width / fx) / (height / fy)


def _look_from(event) -> None:
    frustum, camera = event.target, event.client.camera
    with event.client.atomic():
        camera.wxyz, camera.position = frustum.wxyz, frustum.position
