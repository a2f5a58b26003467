// What the report's 3D view needs of three.js: the input of make_three.sh.
export {
  AmbientLight, Box3, BufferAttribute, BufferGeometry, Color, DirectionalLight, DoubleSide, Group,
  HemisphereLight, LineBasicMaterial, LineSegments, Matrix4, Mesh, MeshBasicMaterial,
  MeshStandardMaterial, PerspectiveCamera, Quaternion, Raycaster, Scene, Sphere, SRGBColorSpace,
  Vector2, Vector3, WebGLRenderer, WireframeGeometry,
} from "three";
export { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
export { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
export { toCreasedNormals } from "three/examples/jsm/utils/BufferGeometryUtils.js";
