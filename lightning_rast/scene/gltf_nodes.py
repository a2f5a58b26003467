"""The nodes of a glTF scene: which meshes stand where."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lightning_rast.scene.gltf_document import AGAIN, GltfDocument


@dataclass(frozen=True)
class Placed:
    """A mesh and where it stands: `matrix` (4, 4) takes its frame to the scene's.

    matrices: of all nodes of the scene, by number.
    """

    mesh: object
    matrix: np.ndarray
    skin: object
    matrices: dict[int, np.ndarray]


def placed_meshes(document: GltfDocument) -> list[Placed]:
    """The meshes of the file's scene; of all nodes, or all meshes, where it has none."""
    nodes = document.entries("nodes")
    if not nodes and not document.entries("scenes"):
        return [
            Placed(mesh, np.eye(4), None, {}) for mesh in range(len(document.entries("meshes")))
        ]
    matrices: dict[int, np.ndarray] = {}
    waiting = [(node, np.eye(4)) for node in reversed(_roots(document, nodes))]
    while waiting:
        number, above = waiting.pop()
        number = document.index(number, "nodes", len(nodes))
        if number in matrices:
            raise ValueError(
                f"node {number} stands below itself or below two others; the file is damaged: "
                f"{AGAIN}"
            )
        node = nodes[number]
        matrices[number] = above @ _local(document, node, f"node {number}")
        waiting += [(child, matrices[number]) for child in reversed(_numbers(node, "children"))]
    return [
        Placed(nodes[number]["mesh"], matrix, nodes[number].get("skin"), matrices)
        for number, matrix in matrices.items()
        if "mesh" in nodes[number]
    ]


def skinned(
    document: GltfDocument, placed: Placed, attributes: dict[str, Any], verts: np.ndarray, what: str
) -> np.ndarray:
    """Vertices (V, 3) as the joints' transforms put them; the mesh's own node has no say."""
    skin = document.entry("skins", placed.skin)
    joints = _numbers(skin, "joints")
    if not joints or not all(isinstance(j, int) and j in placed.matrices for j in joints):
        raise ValueError(f"{what}: its skin has joints that the scene lacks; {AGAIN}")
    inverse = np.broadcast_to(np.eye(4), (len(joints), 4, 4))
    if "inverseBindMatrices" in skin:
        table = document.accessor(skin["inverseBindMatrices"], ("MAT4",), f"{what}, skin")
        if len(table) < len(joints):
            raise ValueError(f"{what}: its skin has fewer matrices than joints; {AGAIN}")
        # Columns come first in the file.
        inverse = table[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1)
    motions = np.stack([placed.matrices[joint] for joint in joints]) @ inverse
    index = document.accessor(attributes["JOINTS_0"], ("VEC4",), f"{what}, JOINTS_0")
    weights = document.accessor(attributes.get("WEIGHTS_0"), ("VEC4",), f"{what}, WEIGHTS_0")
    if len(index) != len(verts) or len(weights) != len(verts) or index.dtype != np.int64:
        raise ValueError(f"{what}: joints and weights are not one per vertex; {AGAIN}")
    if not 0 <= index.min() <= index.max() < len(joints):
        raise ValueError(f"{what}: a vertex follows a joint that does not exist; {AGAIN}")
    total = weights.sum(axis=1, keepdims=True)
    weights = np.where(total > 0, weights / np.where(total > 0, total, 1), [1, 0, 0, 0])
    homogeneous = np.concatenate((verts, np.ones((len(verts), 1))), axis=1)
    moved = np.zeros_like(verts)
    for k in range(4):
        with np.errstate(invalid="ignore", over="ignore"):
            at_joint = np.einsum("vij,vj->vi", motions[index[:, k]][:, :3], homogeneous)
        moved += weights[:, k, None] * at_joint
    return moved


def _roots(document: GltfDocument, nodes: list[dict[str, Any]]) -> list[Any]:
    scenes = document.entries("scenes")
    if scenes:
        scene = scenes[document.index(document.header.get("scene", 0), "scene", len(scenes))]
        return _numbers(scene, "nodes")
    children = {
        child for node in nodes for child in _numbers(node, "children") if isinstance(child, int)
    }
    return [number for number in range(len(nodes)) if number not in children]


def _numbers(entry: dict[str, Any], key: str) -> list[Any]:
    value = entry.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"the header's {key} is no list; {AGAIN}")
    return value


def _local(document: GltfDocument, node: dict[str, Any], what: str) -> np.ndarray:
    if "matrix" in node:
        return document.numbers(node["matrix"], 16, f"matrix of {what}").reshape(4, 4).T
    move = document.numbers(node.get("translation", [0, 0, 0]), 3, f"translation of {what}")
    x, y, z, w = document.numbers(node.get("rotation", [0, 0, 0, 1]), 4, f"rotation of {what}")
    scale = document.numbers(node.get("scale", [1, 1, 1]), 3, f"scale of {what}")
    length = x * x + y * y + z * z + w * w
    twice = 2 / length if length > 0 else 0.0
    matrix = np.eye(4)
    matrix[:3, :3] = scale * (
        np.eye(3)
        + twice
        * np.array(
            [
                [-y * y - z * z, x * y - z * w, x * z + y * w],
                [x * y + z * w, -x * x - z * z, y * z - x * w],
                [x * z - y * w, y * z + x * w, -x * x - y * y],
            ]
        )
    )
    matrix[:3, 3] = move
    return matrix
