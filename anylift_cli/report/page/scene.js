// The 3D view: bodies, objects, floor and the video's camera, drawn by three.js. World: y up, metres.

const T = libraries;
const FIELD_OF_VIEW = 40;
const FRUSTUM_DEPTH = 0.5;
const FLOOR_REACH = 25;

function quaternionAt(array, row, into) {
  return into.fromArray(array, row * 4).normalize();
}

class Body {
  constructor(facts, arrays, prefix, number) {
    const of = (name) => arrays[`${prefix}.${name}`];
    this.parents = facts.parents;
    this.rotations = of("rotations");
    this.roots = of("root");
    this.confidence = of("confidence");
    this.number = number;
    this.bones = facts.parents.map(() => new T.Bone());
    const rest = of("rest");
    this.bones.forEach((bone, joint) => {
      const parent = this.parents[joint];
      bone.position.fromArray(rest, joint * 3);
      if (parent < 0) return;
      this.bones[parent].add(bone);
      bone.position.sub(new T.Vector3().fromArray(rest, parent * 3));
    });
    const geometry = new T.BufferGeometry();
    geometry.setAttribute("position", new T.BufferAttribute(of("vertices"), 3));
    geometry.setAttribute("skinIndex", new T.BufferAttribute(of("skin_joints"), 4));
    geometry.setAttribute("skinWeight", new T.BufferAttribute(of("skin_weights"), 4));
    geometry.setIndex(new T.BufferAttribute(of("faces"), 1));
    geometry.computeVertexNormals();
    this.material = new T.MeshStandardMaterial({ roughness: 0.75, metalness: 0 });
    this.mesh = new T.SkinnedMesh(geometry, this.material);
    this.mesh.castShadow = true;
    this.mesh.frustumCulled = false;
    this.mesh.add(this.bones[0]);
    this.mesh.updateMatrixWorld(true);
    this.mesh.bind(new T.Skeleton(this.bones));
    this.joints = new Float32Array(this.bones.length * 3);
    this.segments = this.parents.flatMap((parent, joint) => (parent < 0 ? [] : [[parent, joint]]));
    this.lines = new T.LineSegments(new T.BufferGeometry(), new T.LineBasicMaterial({ depthTest: false, fog: false }));
    this.lines.geometry.setAttribute("position", new T.BufferAttribute(new Float32Array(this.segments.length * 6), 3));
    this.lines.frustumCulled = false;
    this.lines.renderOrder = 2;
    this.trail = floorLine(this.roots);
    this.group = new T.Group().add(this.mesh, this.lines, this.trail);
  }

  pose(frame) {
    const count = this.bones.length;
    for (let joint = 0; joint < count; joint++) {
      quaternionAt(this.rotations, frame * count + joint, this.bones[joint].quaternion);
    }
    this.bones[0].position.fromArray(this.roots, frame * 3);
    this.mesh.updateMatrixWorld(true);
    this.bones.forEach((bone, joint) => this.joints.set(bone.matrixWorld.elements.slice(12, 15), joint * 3));
    const ends = this.lines.geometry.attributes.position;
    this.segments.forEach(([parent, joint], line) => {
      ends.array.set(this.joints.subarray(parent * 3, parent * 3 + 3), line * 6);
      ends.array.set(this.joints.subarray(joint * 3, joint * 3 + 3), line * 6 + 3);
    });
    ends.needsUpdate = true;
    this.present = this.confidence[frame] > 0;
  }

  paint() {
    const color = personColor(this.number);
    this.material.color.set(color);
    this.trail.material.color.set(color);
    this.lines.material.color.set(styleOf("--skeleton"));
  }
}

function floorLine(points) {
  const flat = points.slice();
  for (let i = 1; i < flat.length; i += 3) flat[i] = 0.004;
  return pathLine(flat);
}

function pathLine(points) {
  const geometry = new T.BufferGeometry();
  geometry.setAttribute("position", new T.BufferAttribute(points, 3));
  const line = new T.Line(geometry, new T.LineBasicMaterial({ transparent: true, opacity: 0.7 }));
  line.frustumCulled = false;
  return line;
}

function propMesh(arrays, prefix) {
  const geometry = new T.BufferGeometry();
  geometry.setAttribute("position", new T.BufferAttribute(arrays[`${prefix}.vertices`], 3));
  geometry.setIndex(new T.BufferAttribute(arrays[`${prefix}.faces`], 1));
  geometry.computeVertexNormals();
  const mesh = new T.Mesh(geometry, new T.MeshStandardMaterial({ roughness: 0.8, flatShading: true }));
  mesh.castShadow = true;
  mesh.frustumCulled = false;
  return mesh;
}

// Lines every metre that `chosen` picks by number, in pieces of one metre.
function floorGrid(chosen) {
  const ends = [];
  for (let line = -FLOOR_REACH; line <= FLOOR_REACH; line++) {
    if (!chosen(line)) continue;
    for (let from = -FLOOR_REACH; from < FLOOR_REACH; from++) {
      ends.push(from, 0, line, from + 1, 0, line, line, 0, from, line, 0, from + 1);
    }
  }
  const geometry = new T.BufferGeometry();
  geometry.setAttribute("position", new T.BufferAttribute(new Float32Array(ends), 3));
  return new T.LineSegments(geometry, new T.LineBasicMaterial());
}

class FilmCamera {
  constructor(facts, arrays) {
    this.size = facts.size;
    this.rotation = arrays["camera.rotation"];
    this.position = arrays["camera.position"];
    this.focal = arrays["camera.focal"];
    this.principal = arrays["camera.principal"];
    this.node = new T.Group();
    this.lines = new T.LineSegments(new T.BufferGeometry(), new T.LineBasicMaterial({ fog: false }));
    this.lines.geometry.setAttribute("position", new T.BufferAttribute(new Float32Array(16 * 3), 3));
    this.lines.frustumCulled = false;
    this.node.add(this.lines);
    this.path = pathLine(this.position);
    this.path.material.fog = false;
    this.group = new T.Group().add(this.node, this.path);
  }

  pose(frame) {
    quaternionAt(this.rotation, frame, this.node.quaternion);
    this.node.position.fromArray(this.position, frame * 3);
    this.node.updateMatrixWorld(true);
    const [width, height] = this.size;
    const corner = (x, y) => [
      ((x - this.principal[frame * 2]) / this.focal[frame * 2]) * FRUSTUM_DEPTH,
      (-(y - this.principal[frame * 2 + 1]) / this.focal[frame * 2 + 1]) * FRUSTUM_DEPTH,
      -FRUSTUM_DEPTH,
    ];
    const corners = [corner(0, 0), corner(width, 0), corner(width, height), corner(0, height)];
    const ends = corners.flatMap((one, i) => [0, 0, 0, ...one, ...one, ...corners[(i + 1) % 4]]);
    this.lines.geometry.attributes.position.array.set(ends);
    this.lines.geometry.attributes.position.needsUpdate = true;
  }

  // World points (3 N) to pixels of the video's image (2 N); NaN behind the camera.
  project(points, frame) {
    const inverse = this.node.matrixWorld.clone().invert();
    const pixels = new Float32Array((points.length / 3) * 2);
    const point = new T.Vector3();
    for (let i = 0; i < points.length / 3; i++) {
      point.fromArray(points, i * 3).applyMatrix4(inverse);
      const depth = point.z < -0.05 ? -point.z : NaN;
      pixels[i * 2] = this.principal[frame * 2] + (this.focal[frame * 2] * point.x) / depth;
      pixels[i * 2 + 1] = this.principal[frame * 2 + 1] - (this.focal[frame * 2 + 1] * point.y) / depth;
    }
    return pixels;
  }

  // Make `camera` see what this one sees, with the whole picture inside a canvas of `width` × `height`.
  aim(camera, frame, width, height) {
    camera.position.copy(this.node.position);
    camera.quaternion.copy(this.node.quaternion);
    const scale = Math.min(width / this.size[0], height / this.size[1]);
    const fx = this.focal[frame * 2] * scale;
    const fy = this.focal[frame * 2 + 1] * scale;
    const cx = (this.principal[frame * 2] - this.size[0] / 2) * scale + width / 2;
    const cy = (this.principal[frame * 2 + 1] - this.size[1] / 2) * scale + height / 2;
    const near = 0.05;
    camera.projectionMatrix.makePerspective(
      (-cx / fx) * near, ((width - cx) / fx) * near, (cy / fy) * near, (-(height - cy) / fy) * near, near, 500,
    );
    camera.projectionMatrixInverse.copy(camera.projectionMatrix).invert();
    camera.updateMatrixWorld(true);
  }
}

class World {
  constructor(canvas, facts, arrays) {
    this.canvas = canvas;
    this.frame = 0;
    this.view = "free";
    this.follow = true;
    this.focus = 0;
    this.meshShown = true;
    this.bonesShown = false;
    this.renderer = new T.WebGLRenderer({ canvas, antialias: true });
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = T.PCFShadowMap;
    this.scene = new T.Scene();
    this.camera = new T.PerspectiveCamera(FIELD_OF_VIEW, 1, 0.05, 500);
    this.bodies = facts.people.map((one, number) => new Body(one, arrays, `person${number}`, number));
    this.props = facts.props.map((_, number) => ({
      mesh: propMesh(arrays, `prop${number}`),
      rotation: arrays[`prop${number}.pose.rotation`],
      position: arrays[`prop${number}.pose.position`],
    }));
    this.film = facts.camera && new FilmCamera(facts.camera, arrays);
    this.paths = this.bodies.map((body) => smoothed(body.roots, arrays.times));
    this.addLights();
    this.scene.add(...this.bodies.map((body) => body.group), ...this.props.map((prop) => prop.mesh));
    if (this.film) this.scene.add(this.film.group);
    this.controls = new T.OrbitControls(this.camera, canvas);
    this.controls.enableDamping = false;
    this.controls.minDistance = 0.5;
    this.controls.maxDistance = 80;
    this.controls.addEventListener("start", () => this.leaveFixedView());
    this.controls.addEventListener("change", () => this.invalidate());
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.paint();
    this.resize();
    this.show(0);
    this.setView("free");
  }

  addLights() {
    this.sky = new T.HemisphereLight(0xffffff, 0x888888, 1.6);
    this.sun = new T.DirectionalLight(0xffffff, 2.0);
    this.sun.castShadow = true;
    this.sun.shadow.mapSize.set(1024, 1024);
    Object.assign(this.sun.shadow.camera, { left: -2.5, right: 2.5, top: 2.5, bottom: -2.5, near: 0.5, far: 14 });
    this.sun.shadow.bias = -0.0005;
    this.sun.shadow.normalBias = 0.02;
    this.shade = new T.Mesh(new T.PlaneGeometry(2 * FLOOR_REACH, 2 * FLOOR_REACH).rotateX(-Math.PI / 2), new T.ShadowMaterial());
    this.shade.receiveShadow = true;
    this.shade.position.y = -0.002;
    this.grids = new T.Group().add(floorGrid((line) => line % 5 !== 0), floorGrid((line) => line % 5 === 0));
    this.scene.add(this.sky, this.sun, this.sun.target, this.shade, this.grids);
  }

  paint() {
    const sky = new T.Color(styleOf("--sky"));
    this.scene.background = sky;
    this.scene.fog = new T.Fog(sky, 6, 28);
    this.shade.material.opacity = 0.28;
    this.grids.children.forEach((grid, i) => grid.material.color.set(styleOf(["--grid", "--grid-strong"][i])));
    this.bodies.forEach((body) => body.paint());
    this.props.forEach((prop) => prop.mesh.material.color.set(styleOf("--quiet")));
    if (this.film) {
      this.film.lines.material.color.set(styleOf("--camera"));
      this.film.path.material.color.set(styleOf("--camera"));
    }
    this.invalidate();
  }

  show(frame) {
    this.frame = frame;
    this.bodies.forEach((body) => {
      body.pose(frame);
      body.mesh.visible = body.present && this.meshShown;
      body.lines.visible = body.present && this.bonesShown;
    });
    this.props.forEach(({ mesh, rotation, position }) => {
      quaternionAt(rotation, frame, mesh.quaternion);
      mesh.position.fromArray(position, frame * 3);
    });
    this.film?.pose(frame);
    const target = this.target();
    this.sun.target.position.copy(target);
    this.sun.position.copy(target).add(new T.Vector3(2, 6, 3));
    if (this.follow && this.view !== "camera") this.moveWith(target);
    this.invalidate();
  }

  target() {
    return new T.Vector3().fromArray(this.paths[this.focus], this.frame * 3).setY(0.9);
  }

  moveWith(target) {
    this.camera.position.add(target).sub(this.controls.target);
    this.controls.target.copy(target);
    this.camera.updateMatrixWorld(true);
  }

  showMesh(shown) {
    this.meshShown = shown;
    this.show(this.frame);
  }

  showBones(shown) {
    this.bonesShown = shown;
    this.show(this.frame);
  }

  setFollow(follow) {
    this.follow = follow;
    this.show(this.frame);
  }

  setFocus(person) {
    this.focus = person;
    this.show(this.frame);
  }

  setView(name) {
    this.view = name === "camera" && !this.film ? "free" : name;
    const fixed = this.view === "camera";
    this.controls.enabled = !fixed;
    if (this.film) this.film.node.visible = !fixed;
    if (!fixed) this.placeFree(this.view);
    this.onView?.(this.view);
    this.invalidate();
  }

  // Turning a front, side or top view by hand makes it a free one.
  leaveFixedView() {
    if (this.view === "camera" || this.view === "free") return;
    this.view = "free";
    this.onView?.("free");
  }

  placeFree(view) {
    const target = this.target();
    const towards = this.film ? this.film.node.position.clone().sub(target) : new T.Vector3(0, 0, 1);
    const azimuth = Math.atan2(towards.x, towards.z);
    const turn = { free: 0.7, front: 0, side: Math.PI / 2, top: 0 }[view];
    const rise = { free: 0.25, front: 0.02, side: 0.02, top: Math.PI / 2 - 0.001 }[view];
    const distance = 1.35 / Math.tan((FIELD_OF_VIEW * Math.PI) / 360) / Math.min(1, this.camera.aspect);
    const direction = new T.Vector3(
      Math.sin(azimuth + turn) * Math.cos(rise), Math.sin(rise), Math.cos(azimuth + turn) * Math.cos(rise),
    );
    this.controls.target.copy(target);
    this.camera.position.copy(target).addScaledVector(direction, distance);
    this.camera.updateProjectionMatrix();
    this.controls.update();
  }

  onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const turn = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    const zoom = { "+": 0.88, "=": 0.88, "-": 1 / 0.88 }[event.key];
    if (!turn && !zoom && event.key !== "0") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "0" || this.view === "camera") this.setView("free");
    if (turn || zoom) this.orbit(turn ?? [0, 0], zoom ?? 1);
  }

  orbit([azimuth, elevation], zoom) {
    this.leaveFixedView();
    const offset = this.camera.position.clone().sub(this.controls.target);
    const distance = Math.min(Math.max(offset.length() * zoom, this.controls.minDistance), this.controls.maxDistance);
    const rise = Math.asin(Math.min(Math.max(offset.y / offset.length(), -1), 1)) + elevation;
    const turned = Math.atan2(offset.x, offset.z) + azimuth;
    const limited = Math.min(Math.max(rise, -1.4), 1.55);
    offset.set(
      Math.sin(turned) * Math.cos(limited), Math.sin(limited), Math.cos(turned) * Math.cos(limited),
    ).multiplyScalar(distance);
    this.camera.position.copy(this.controls.target).add(offset);
    this.controls.update();
    this.invalidate();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.render();
  }

  invalidate() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => this.render());
  }

  render() {
    this.pending = false;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (this.view === "camera") this.film.aim(this.camera, this.frame, width, height);
    else this.camera.updateProjectionMatrix();
    const centre = this.controls.target;
    this.grids.position.set(Math.round(centre.x / 5) * 5, 0, Math.round(centre.z / 5) * 5);
    this.shade.position.set(this.grids.position.x, -0.002, this.grids.position.z);
    const distance = this.camera.position.distanceTo(this.target());
    this.scene.fog.near = distance + 4;
    this.scene.fog.far = distance + 24;
    this.renderer.render(this.scene, this.camera);
  }

  // Joints of a person in pixels of the canvas, [[x, y], …].
  jointsOnCanvas(person) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.render();
    const { joints } = this.bodies[person];
    return Array.from({ length: joints.length / 3 }, (_, joint) => {
      const point = new T.Vector3().fromArray(joints, joint * 3).project(this.camera);
      return [((point.x + 1) / 2) * width, ((1 - point.y) / 2) * height];
    });
  }
}

// Path of a point (3 T), its mean over about a second around each frame.
function smoothed(points, times) {
  const frames = times.length;
  const step = frames > 1 ? (times[frames - 1] - times[0]) / (frames - 1) : 1;
  const reach = Math.max(1, Math.round(0.5 / step));
  const sums = new Float64Array((frames + 1) * 3);
  for (let i = 0; i < frames * 3; i++) sums[i + 3] = sums[i] + points[i];
  const path = new Float32Array(frames * 3);
  for (let frame = 0; frame < frames; frame++) {
    const half = Math.min(reach, frame, frames - 1 - frame);
    for (let axis = 0; axis < 3; axis++) {
      const sum = sums[(frame + half + 1) * 3 + axis] - sums[(frame - half) * 3 + axis];
      path[frame * 3 + axis] = sum / (2 * half + 1);
    }
  }
  return path;
}
