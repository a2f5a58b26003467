// The 3D view: the mesh, its edges, the cameras. Draws only when something has changed.
(() => {
  "use strict";
  const box = document.getElementById("viewer");
  const meshData = document.getElementById("mesh-data");
  if (!box || !meshData) return;
  const rig = JSON.parse(document.getElementById("camera-data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const CLAY = 0xd4ad91, TRAIN = 0x2980d6, HELD_OUT = 0xe0862c;

  start().then(
    () => { box.dataset.state = "ready"; },
    (error) => fail("The 3D view could not start: " + error.message));

  function fail(text) {
    box.dataset.state = "failed";
    const note = document.getElementById("viewer-note");
    note.textContent = text;
    note.hidden = false;
  }

  async function start() {
    let renderer;
    try {
      renderer = new THREE.WebGLRenderer({ antialias: true, alpha: true });
    } catch {
      throw new Error("this browser has no WebGL.");
    }
    renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    box.prepend(renderer.domElement);

    const glb = await inflate(meshData.textContent);
    const gltf = await new Promise((resolve, reject) =>
      new THREE.GLTFLoader().parse(glb.slice(0), "", resolve, reject));

    const scene = new THREE.Scene();
    const object = new THREE.Group();
    const edges = new THREE.Group();
    edges.visible = false;
    gltf.scene.updateMatrixWorld(true);
    gltf.scene.traverse((node) => {
      if (!node.isMesh) return;
      const geometry = node.geometry.clone().applyMatrix4(node.matrixWorld);
      geometry.deleteAttribute("normal");
      // Offset, so that the edges drawn over the faces do not sink into them.
      const material = new THREE.MeshStandardMaterial({
        color: CLAY, roughness: 0.85, metalness: 0, side: THREE.DoubleSide,
        polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1 });
      // As in the turntable: edges of more than 40 degrees stay sharp.
      object.add(new THREE.Mesh(THREE.toCreasedNormals(geometry, 40 * Math.PI / 180), material));
      const lines = new THREE.LineBasicMaterial({ color: 0x202428, transparent: true, opacity: 0.45 });
      edges.add(new THREE.LineSegments(new THREE.WireframeGeometry(geometry), lines));
    });
    scene.add(object, edges);

    const bounds = new THREE.Box3().setFromObject(object);
    const sphere = new THREE.Sphere(bounds.getCenter(new THREE.Vector3()), 0);
    for (const { geometry } of object.children) {
      const points = geometry.attributes.position, point = new THREE.Vector3();
      for (let i = 0; i < points.count; i++) {
        sphere.radius = Math.max(sphere.radius, point.fromBufferAttribute(points, i).distanceTo(sphere.center));
      }
    }
    const size = sphere.radius || 1;
    const frusta = makeFrusta(size);
    frusta.visible = false;
    scene.add(frusta);

    const camera = new THREE.PerspectiveCamera(35, 1, size * 1e-3, size * 1e3);
    camera.up.fromArray(rig.up);
    scene.add(new THREE.HemisphereLight(0xffffff, 0x8d8a86, 1.7));
    const lamp = new THREE.DirectionalLight(0xffffff, 1.9);
    lamp.position.set(-0.6, 0.9, 0.8);
    camera.add(lamp, lamp.target);
    lamp.target.position.set(0, 0, -1);
    scene.add(camera);

    const controls = new THREE.OrbitControls(camera, renderer.domElement);
    controls.enableDamping = true;
    controls.dampingFactor = 0.12;
    let queued = false;
    const draw = () => {
      queued = false;
      if (controls.update()) queue();
      renderer.render(scene, camera);
    };
    const queue = () => {
      if (!queued) { queued = true; requestAnimationFrame(draw); }
    };
    controls.addEventListener("change", queue);

    function home() {
      camera.up.fromArray(rig.up);
      camera.fov = 35;
      const distance = 1.02 * size / Math.sin(Math.min(
        camera.fov, 2 * Math.atan(Math.tan(camera.fov * Math.PI / 360) * camera.aspect) * 180 / Math.PI
      ) * Math.PI / 360);
      controls.target.copy(sphere.center);
      camera.position.copy(sphere.center).addScaledVector(homeDirection(), distance);
      camera.updateProjectionMatrix();
      controls.update();
      queue();
    }

    // Level with a view that was taken from a little above, so that the front is a seen side.
    function homeDirection() {
      const up = new THREE.Vector3().fromArray(rig.up);
      let best = null, least = Infinity;
      for (const view of rig.views) {
        const towards = position(view).sub(sphere.center).normalize();
        const off = Math.abs(towards.dot(up) - 0.35);
        if (off < least - 1e-3) { least = off; best = towards; }
      }
      if (best && least < 0.5) return best;
      const side = Math.abs(up.y) > 0.9 ? new THREE.Vector3(0.35, 0, 1) : new THREE.Vector3(0.35, -1, 0);
      side.addScaledVector(up, -side.dot(up)).normalize();
      return side.addScaledVector(up, 0.35).normalize();
    }

    // From where a view was taken, upright as its image is, all of what it shows in the frame.
    function lookFrom(index) {
      const view = rig.views[index];
      const pose = poseOf(view);
      const back = new THREE.Vector3().setFromMatrixColumn(pose, 2);
      const from = position(view);
      const depth = Math.max(from.clone().sub(sphere.center).dot(back), size * 0.1);
      camera.up.setFromMatrixColumn(pose, 1);
      if (frusta.visible) document.getElementById("show-cameras").click();
      camera.position.copy(from);
      controls.target.copy(from).addScaledVector(back, -depth);
      const [left, right, bottom, top] = view.corners;
      const half = Math.max(Math.abs(bottom), Math.abs(top), Math.max(Math.abs(left), Math.abs(right)) / camera.aspect);
      camera.fov = 2 * Math.atan(half) * 180 / Math.PI;
      camera.updateProjectionMatrix();
      controls.update();
      queue();
      box.scrollIntoView({ block: "nearest" });
    }

    function poseOf(view) {
      return new THREE.Matrix4().set(...view.pose);
    }

    function position(view) {
      return new THREE.Vector3().setFromMatrixPosition(poseOf(view));
    }

    function makeFrusta(size) {
      const group = new THREE.Group();
      for (const heldOut of [false, true]) {
        const points = [];
        for (const view of rig.views.filter((each) => each.held_out === heldOut)) {
          const pose = poseOf(view);
          const [left, right, bottom, top] = view.corners;
          // To be seen from where all cameras are, whatever their focal length.
          const distance = position(view).distanceTo(sphere.center);
          const depth = Math.max(0.22 * size, 0.07 * distance) / Math.max(right - left, top - bottom);
          const at = (x, y) => new THREE.Vector3(x * depth, y * depth, -depth).applyMatrix4(pose);
          const tip = new THREE.Vector3().setFromMatrixPosition(pose);
          const rim = [at(left, bottom), at(right, bottom), at(right, top), at(left, top)];
          const roof = at((left + right) / 2, top + 0.35 * (top - bottom));
          rim.forEach((corner, i) => points.push(tip, corner, corner, rim[(i + 1) % 4]));
          points.push(rim[2], roof, roof, rim[3]);
        }
        const material = new THREE.LineBasicMaterial({ color: heldOut ? HELD_OUT : TRAIN });
        group.add(new THREE.LineSegments(new THREE.BufferGeometry().setFromPoints(points), material));
      }
      return group;
    }

    function resize() {
      const { clientWidth: width, clientHeight: height } = box;
      if (!width || !height) return;
      renderer.setSize(width, height);
      camera.aspect = width / height;
      camera.updateProjectionMatrix();
      queue();
    }
    resize();
    new ResizeObserver(resize).observe(box);
    home();

    const toggles = { edges: edges, cameras: frusta };
    for (const [name, group] of Object.entries(toggles)) {
      const button = document.getElementById("show-" + name);
      button.addEventListener("click", () => {
        group.visible = !group.visible;
        button.setAttribute("aria-pressed", String(group.visible));
        if (name === "cameras" && group.visible) framed();
        queue();
      });
    }
    // Far enough away for all cameras to be in the picture.
    function framed() {
      let reach = size;
      for (const view of rig.views) reach = Math.max(reach, position(view).distanceTo(sphere.center));
      const away = camera.position.clone().sub(controls.target).normalize();
      const half = Math.min(1, camera.aspect) * Math.tan(camera.fov * Math.PI / 360);
      camera.position.copy(controls.target).addScaledVector(away, Math.max(camera.position.distanceTo(controls.target), 1.15 * reach / half));
      controls.update();
    }
    document.getElementById("reset-view").addEventListener("click", home);
    document.getElementById("save-mesh").addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([glb], { type: "model/gltf-binary" }));
      link.download = box.dataset.name + ".glb";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
    document.addEventListener("look-from", (event) => lookFrom(event.detail));
    dark.addEventListener("change", queue);
    renderer.render(scene, camera);
  }

  async function inflate(text) {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }
})();
