"""What becomes of every mesh file in the folder of real test data; see `test_mesh_table.py`."""

# ruff: noqa: E501 (a row is a row)

_NO_FACES = (
    "no surface: the file holds no faces, only points, lines or nothing; export a mesh with faces"
)
_NO_TRIANGLES = (
    "no surface: the scene holds no triangles, only points, lines or nothing; "
    "export a mesh with faces"
)

# file: vertices, faces, area, closed, and (v)ertex colours, (t)extures, base colours of (m)aterials
LOADED = {
    "avocado/Avocado.gltf": (363, 682, 0.005855, False, "t"),
    "bob/bob_tri.obj": (5344, 10688, 5.706, True, ""),
    "cow.obj": (2903, 5804, 108.8, True, ""),
    "kettle/kettle.glb": (1101, 2172, 1.064, False, "m"),
    "kettle/kettle.obj": (449, 894, 1064, True, ""),
    "nasty/assimp/OBJ/box_UTF16BE.obj": (8, 12, 6, True, ""),
    "nasty/assimp/OBJ/box_longline.obj": (8, 12, 6, True, ""),
    "nasty/assimp/OBJ/box_without_lineending.obj": (8, 12, 6, True, ""),
    "nasty/assimp/OBJ/concave_polygon.obj": (64, 64, 0.2455, False, "m"),
    "nasty/assimp/OBJ/cube_mtllib_after_g.obj": (8, 12, 6, True, ""),
    "nasty/assimp/OBJ/cube_with_vertexcolors.obj": (8, 12, 6, True, "v"),
    "nasty/assimp/OBJ/cube_with_vertexcolors_uni.obj": (8, 12, 6, True, "v"),
    "nasty/assimp/OBJ/multiple_spaces.obj": (3, 1, 2.598, False, ""),
    "nasty/assimp/OBJ/only_a_part_of_vertexcolors.obj": (5, 3, 1.707, False, "v"),
    "nasty/assimp/OBJ/regr01.obj": (1271, 2710, 9.678e06, False, ""),
    "nasty/assimp/OBJ/regr_3429812.obj": (4, 4, 2.36e-05, True, ""),
    "nasty/assimp/OBJ/space_in_material_name.obj": (64, 64, 0.2455, False, "m"),
    "nasty/assimp/OBJ/spider.obj": (722, 1312, 33280, False, "m"),
    "nasty/assimp/OBJ/testmixed.obj": (8, 12, 6, True, ""),
    "nasty/assimp/PLY/cube.ply": (8, 12, 6, True, ""),
    "nasty/assimp/PLY/cube_binary.ply": (8, 12, 6, True, ""),
    "nasty/assimp/PLY/cube_binary_header_with_RN_newline.ply": (8, 12, 6, True, ""),
    "nasty/assimp/PLY/cube_binary_starts_with_nl.ply": (8, 12, 6, True, ""),
    "nasty/assimp/PLY/cube_uv.ply": (8, 12, 24, True, ""),
    "nasty/assimp/PLY/float-color.ply": (3, 1, 10000, False, "v"),
    "nasty/assimp/glTF2/BoxBadNormals-glTF-Binary/BoxBadNormals.glb": (8, 12, 6, True, "m"),
    "nasty/assimp/glTF2/BoxTextured-glTF-Embedded/BoxTextured.gltf": (8, 12, 6, True, "t"),
    "nasty/assimp/glTF2/cameras/Cameras.gltf": (4, 2, 1, False, ""),
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_04.gltf": (
        4,
        2,
        1,
        False,
        "",
    ),
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_05.gltf": (
        4,
        2,
        1,
        False,
        "",
    ),
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_06.gltf": (
        4,
        2,
        1,
        False,
        "",
    ),
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_11.gltf": (
        4,
        2,
        1,
        False,
        "",
    ),
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_12.gltf": (
        4,
        2,
        1,
        False,
        "",
    ),
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_13.gltf": (
        4,
        2,
        1,
        False,
        "",
    ),
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_14.gltf": (
        4,
        2,
        1,
        False,
        "",
    ),
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_15.gltf": (
        4,
        2,
        1,
        False,
        "",
    ),
    "nasty/assimp/glTF2/issue_3269/texcoord_crash.gltf": (20, 10, 8, False, "tm"),
    "nasty/assimp/glTF2/simple_skin/quad_skin.glb": (4, 2, 40000, False, "vm"),
    "nasty/assimp/glTF2/wrongTypes/badNumber.gltf": (8, 12, 6, True, "t"),
    "nasty/assimp/glTF2/wrongTypes/badUint.gltf": (8, 12, 6, True, ""),
    "nasty/trimesh/BoxInterleaved.glb": (8, 12, 6, True, "m"),
    "nasty/trimesh/BoxTextured.glb": (8, 12, 6, True, "t"),
    "nasty/trimesh/BoxTextured.ply": (8, 12, 6, True, ""),
    "nasty/trimesh/CesiumMilkTruck.glb": (1840, 3624, 64.82, False, "tm"),
    "nasty/trimesh/Duck.glb": (2108, 4212, 7.024, True, "t"),
    "nasty/trimesh/Mesh_PrimitiveMode_04.gltf": (4, 2, 1, False, ""),
    "nasty/trimesh/box.obj": (8, 12, 24, True, "m"),
    "nasty/trimesh/busted.STL": (1941, 3878, 349.3, True, ""),
    "nasty/trimesh/capsule.obj": (5002, 10000, 18.84, True, "m"),
    "nasty/trimesh/cube_blender_uv.ply": (8, 12, 6, True, ""),
    "nasty/trimesh/cube_compressed.obj": (8, 12, 24, True, ""),
    "nasty/trimesh/cubevc.glb": (26, 48, 24, True, "v"),
    "nasty/trimesh/cubevt.obj": (8, 12, 6, True, ""),
    "nasty/trimesh/face_in_group_name_mid_file.obj": (5, 2, 113.3, False, ""),
    "nasty/trimesh/fuze.obj": (502, 1000, 0.04472, True, ""),
    "nasty/trimesh/fuze.ply": (502, 1000, 0.04472, True, "vt"),
    "nasty/trimesh/groups.obj": (1156, 2308, 144.5, True, ""),
    "nasty/trimesh/jacked.obj": (8, 12, 6, True, ""),
    "nasty/trimesh/joined_tetrahedra.obj": (5, 8, 8.408, True, ""),
    "nasty/trimesh/metadata.ply": (4, 2, 64, False, ""),
    "nasty/trimesh/mirror.ply": (143, 286, 1.627, True, ""),
    "nasty/trimesh/mode5.gltf": (1375, 2786, 20060, True, "m"),
    "nasty/trimesh/monkey.glb": (505, 968, 12.46, False, ""),
    "nasty/trimesh/multi.ply": (4, 2, 4, False, "v"),
    "nasty/trimesh/nancolor.obj": (8, 12, 6, True, "v"),
    "nasty/trimesh/negative_indices.obj": (8, 12, 24, True, ""),
    "nasty/trimesh/nested.glb": (24, 36, 8.677, True, "m"),
    "nasty/trimesh/no_indices_3storybuilding.glb": (24, 72, 12530, True, ""),
    "nasty/trimesh/noimg.obj": (502, 1000, 0.04472, True, ""),
    "nasty/trimesh/not_convex.obj": (44, 96, 3.515, True, ""),
    "nasty/trimesh/notenoughindices.obj": (3, 1, 250000, False, ""),
    "nasty/trimesh/obj_with_no_face_in_chunk.obj": (3, 1, 4.243, False, ""),
    "nasty/trimesh/pins.glb": (1698, 3408, 146600, True, "m"),
    "nasty/trimesh/plane.ply": (4, 2, 4, False, ""),
    "nasty/trimesh/polygonfaces.obj": (5, 3, 1.163e06, False, ""),
    "nasty/trimesh/quadknot.obj": (1440, 2880, 112100, True, "v"),
    "nasty/trimesh/rabbit.obj": (644, 1252, 32.97, True, "m"),
    "nasty/trimesh/rgb_cube_with_primitives.gltf": (8, 12, 24, True, "m"),
    "nasty/trimesh/singlevn.obj": (4, 2, 1e06, False, ""),
    "nasty/trimesh/soup.stl": (300, 100, 14.58, False, ""),
    "nasty/trimesh/suzanne.ply": (505, 968, 12.46, False, ""),
    "nasty/trimesh/teapot.stl": (480, 894, 4941, False, ""),
    "nasty/trimesh/testplate.glb": (130, 264, 0.2133, True, ""),
    "nasty/trimesh/tet.ply": (4, 4, 8.944, True, ""),
    "nasty/trimesh/textured_tetrahedron.obj": (4, 4, 4.549, True, ""),
    "nasty/trimesh/two_objects.obj": (8, 16, 8.366, True, ""),
    "nasty/trimesh/wallhole.obj": (35, 66, 721.4, True, ""),
    "rocker-arm.obj": (10044, 20088, 1.297, True, ""),
    "skull_nds.obj": (1270, 2552, 151500, True, ""),
    "spot/cow.glb": (2930, 5856, 5.71, True, "t"),
    "spot/cow.obj": (2930, 5856, 5.71, True, "t"),
    "suzanne.obj": (505, 968, 12.47, False, ""),
    "teapot/teapot.obj": (1232, 2464, 5.352, True, ""),
    "tree/PalmTree.gltf": (5236, 10124, 158500, False, "m"),
    "tree/tree-1.glb": (171, 330, 8.426, False, "m"),
    "tree/tree-2.glb": (394, 756, 5.921, False, "m"),
}

# file: what the message says
REFUSED = {
    "nasty/assimp/OBJ/number_formats.obj": (
        "line 11: a vertex is not made of numbers: 'v 1e+2 2.e+1 3.1+e2'; mend the line "
        "or export the file again"
    ),
    "nasty/assimp/OBJ/point_cloud.obj": _NO_FACES,
    "nasty/assimp/OBJ/testline.obj": _NO_FACES,
    "nasty/assimp/OBJ/testpoints.obj": _NO_FACES,
    "nasty/assimp/PLY/issue623.ply": (
        "row 1 of element vertex: it is too short for its properties: '7.941797 1.432409 "
        "-0.927566 0.000000 0.000000 -1.000000'; export or copy the file again"
    ),
    "nasty/assimp/PLY/payload_JVN42386607": (
        "unknown kind of mesh file; known are .obj, .ply, .glb, .gltf, .stl, .off: export "
        "it as one of them"
    ),
    "nasty/assimp/PLY/points.ply": _NO_FACES,
    "nasty/assimp/glTF2/BoxWithInfinites-glTF-Binary/BoxWithInfinites.glb": (
        "faces use positions that are infinite, not a number, or beyond float32; mend or "
        "remove those vertices in a mesh editor"
    ),
    "nasty/assimp/glTF2/IncorrectVertexArrays/Cube.gltf": (
        "mesh 1, primitive 0: 35 corners are no whole number of triangles; the file is "
        "cut short or damaged: export or copy the file again"
    ),
    "nasty/assimp/glTF2/IndexOutOfRange/AllIndicesOutOfRange.gltf": (
        "mesh 0, primitive 0: a face names vertex 65535, but there are 24; the file is "
        "damaged: export or copy the file again"
    ),
    "nasty/assimp/glTF2/IndexOutOfRange/IndexOutOfRange.gltf": (
        "mesh 0, primitive 0: a face names vertex 255, but there are 24; the file is "
        "damaged: export or copy the file again"
    ),
    "nasty/assimp/glTF2/MissingBin/BoxTextured.gltf": "its buffer 0, BoxTextured0.bin, is not there; put it beside the file",
    "nasty/assimp/glTF2/RecursiveNodes/RecursiveNodes.gltf": (
        "node 0 stands below itself or below two others; the file is damaged: export or "
        "copy the file again"
    ),
    "nasty/assimp/glTF2/SchemaFailures/sceneWrongType.gltf": "the header names scene 'hello', no number; export or copy the file again",
    "nasty/assimp/glTF2/TestNoRootNode/NoScene.gltf": _NO_TRIANGLES,
    "nasty/assimp/glTF2/TestNoRootNode/SceneWithoutNodes.gltf": _NO_TRIANGLES,
    "nasty/assimp/glTF2/draco/2CylinderEngine.gltf": (
        "needs KHR_draco_mesh_compression, which is not supported; export the file again "
        "without compression"
    ),
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_00.gltf": _NO_TRIANGLES,
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_01.gltf": _NO_TRIANGLES,
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_02.gltf": _NO_TRIANGLES,
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_03.gltf": _NO_TRIANGLES,
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_07.gltf": _NO_TRIANGLES,
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_08.gltf": _NO_TRIANGLES,
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_09.gltf": _NO_TRIANGLES,
    "nasty/assimp/glTF2/glTF-Asset-Generator/Mesh_PrimitiveMode/Mesh_PrimitiveMode_10.gltf": _NO_TRIANGLES,
    "nasty/assimp/glTF2/wrongTypes/badArray.gltf": (
        "the header's mesh.primitives is not a list of objects; export or copy the file again"
    ),
    "nasty/trimesh/empty.obj": _NO_FACES,
    "nasty/trimesh/empty.ply": _NO_FACES,
    "nasty/trimesh/emptyIO/obj_points.obj": _NO_FACES,
    "nasty/trimesh/emptyIO/obj_wireframe.obj": _NO_FACES,
    "nasty/trimesh/emptyIO/ply_empty_header.ply": "there are no vertices with properties x, y and z; export or copy the file again",
    "nasty/trimesh/emptyIO/ply_points_ascii.ply": _NO_FACES,
    "nasty/trimesh/empty_nodes.glb": _NO_TRIANGLES,
    "nasty/trimesh/face_in_group_name.obj": _NO_FACES,
    "nasty/trimesh/points_bin.ply": _NO_FACES,
    "nasty/trimesh/points_emptyface.ply": _NO_FACES,
}
