// The mesh: drawn by three.js, turned by dragging, clicked. Lengths are in the mesh file's own unit.

const T = libraries;
const CLICK = 5;
const SNAP = 12;
const BOTH_SIDES = 2;
const COLORS = ["#f2a33c", "#5cb3ff", "#6fd08c", "#e58ff0", "#e8d34f", "#ff8a80", "#5fd9d1", "#c2b0ff"];

const colorOf = (number) => COLORS[number % COLORS.length];

function drawDisc(context, x, y, number, faint) {
  context.globalAlpha = faint ? 0.35 : 1;
  context.beginPath();
  context.arc(x, y, 3, 0, 2 * Math.PI);
  context.fillStyle = colorOf(number);
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = "#14171b";
  context.stroke();
  context.font = "700 13px system-ui, sans-serif";
  context.lineWidth = 3;
  context.strokeText(String(number + 1), x + 7, y - 6);
  context.fillText(String(number + 1), x + 7, y - 6);
  context.globalAlpha = 1;
}

function sharpCanvas(canvas) {
  const density = Math.min(window.devicePixelRatio, 2);
  canvas.width = Math.round(canvas.clientWidth * density);
  canvas.height = Math.round(canvas.clientHeight * density);
  const context = canvas.getContext("2d");
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return context;
}

// Calls back with the place of a press that was no drag.
function onClick(canvas, act) {
  let down = null;
  canvas.addEventListener("pointerdown", (event) => {
    down = event.isPrimary && event.button === 0 ? [event.offsetX, event.offsetY] : null;
  });
  canvas.addEventListener("pointerup", (event) => {
    if (down && Math.hypot(event.offsetX - down[0], event.offsetY - down[1]) < CLICK) act(event.offsetX, event.offsetY);
    down = null;
  });
}

class Surface {
  constructor(canvas, marks, onPoint) {
    this.canvas = canvas;
    this.marks = marks;
    this.points = [];
    this.renderer = new T.WebGLRenderer({ canvas, antialias: true });
    this.scene = new T.Scene();
    this.camera = new T.PerspectiveCamera(35, 1, 0.01, 100);
    this.sun = new T.DirectionalLight(0xffffff, 2.2);
    this.scene.add(new T.HemisphereLight(0xffffff, 0x777777, 1.5), this.sun);
    this.controls = new T.OrbitControls(this.camera, canvas);
    this.controls.enableDamping = false;
    this.controls.enablePan = false;
    this.controls.addEventListener("change", () => this.draw());
    onClick(canvas, (x, y) => {
      const point = this.pointAt(x, y);
      if (point) onPoint(point);
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  setMesh(vertices, faces) {
    if (this.mesh) {
      this.scene.remove(this.mesh);
      this.mesh.geometry.dispose();
    }
    this.vertices = vertices;
    this.faces = faces;
    const geometry = new T.BufferGeometry();
    geometry.setAttribute("position", new T.BufferAttribute(vertices, 3));
    geometry.setIndex(new T.BufferAttribute(faces, 1));
    geometry.computeVertexNormals();
    geometry.computeBoundingSphere();
    const material = new T.MeshStandardMaterial({ roughness: 0.85, flatShading: true, side: BOTH_SIDES });
    this.mesh = new T.Mesh(geometry, material);
    this.scene.add(this.mesh);
    const { center, radius } = geometry.boundingSphere;
    Object.assign(this.camera, { near: radius / 50, far: radius * 50 });
    Object.assign(this.controls, { minDistance: radius * 1.05, maxDistance: radius * 12 });
    this.controls.target.copy(center);
    this.camera.position.copy(center).add(new T.Vector3(0.75, 0.55, 0.85).multiplyScalar(3.2 * radius));
    this.controls.update();
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!this.mesh || !width || !height) return;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.camera.updateMatrixWorld(true);
    this.scene.background = new T.Color(styleOf("--sky"));
    this.mesh.material.color.set(styleOf("--quiet"));
    this.sun.position.copy(this.camera.position);
    this.renderer.render(this.scene, this.camera);
    const context = sharpCanvas(this.marks);
    this.points.forEach((point, number) => {
      if (point) drawDisc(context, ...this.onCanvas(point), number, !this.seen(point));
    });
  }

  onCanvas(point) {
    const place = new T.Vector3(...point).project(this.camera);
    return [((place.x + 1) / 2) * this.canvas.clientWidth, ((1 - place.y) / 2) * this.canvas.clientHeight];
  }

  // Whether nothing of the mesh is before a point of it.
  seen(point) {
    const sight = new T.Vector3(...point).sub(this.camera.position);
    const hit = this.hit(sight.clone().normalize());
    return !hit || hit.distance > sight.length() * 0.995;
  }

  pointAt(x, y) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const far = new T.Vector3((x / width) * 2 - 1, 1 - (y / height) * 2, 0.5).unproject(this.camera);
    const hit = this.hit(far.sub(this.camera.position).normalize());
    if (!hit) return null;
    const corners = [0, 1, 2].map((i) => this.corner(hit.face, i));
    const away = corners.map((corner) => {
      const [left, top] = this.onCanvas(corner);
      return Math.hypot(left - x, top - y);
    });
    const nearest = away.indexOf(Math.min(...away));
    return away[nearest] < SNAP ? corners[nearest] : hit.point;
  }

  corner(face, i) {
    const start = this.faces[face * 3 + i] * 3;
    return [this.vertices[start], this.vertices[start + 1], this.vertices[start + 2]];
  }

  // The nearest triangle from the camera along a unit vector (Möller and Trumbore 1997).
  hit(direction) {
    const { vertices: v, faces } = this;
    const [ox, oy, oz] = this.camera.position.toArray();
    const [dx, dy, dz] = direction.toArray();
    let distance = Infinity;
    let face = -1;
    for (let i = 0; i < faces.length; i += 3) {
      const a = faces[i] * 3;
      const b = faces[i + 1] * 3;
      const c = faces[i + 2] * 3;
      const ux = v[b] - v[a], uy = v[b + 1] - v[a + 1], uz = v[b + 2] - v[a + 2];
      const wx = v[c] - v[a], wy = v[c + 1] - v[a + 1], wz = v[c + 2] - v[a + 2];
      const px = dy * wz - dz * wy, py = dz * wx - dx * wz, pz = dx * wy - dy * wx;
      const determinant = ux * px + uy * py + uz * pz;
      if (determinant === 0) continue;
      const tx = ox - v[a], ty = oy - v[a + 1], tz = oz - v[a + 2];
      const first = (tx * px + ty * py + tz * pz) / determinant;
      if (first < 0 || first > 1) continue;
      const qx = ty * uz - tz * uy, qy = tz * ux - tx * uz, qz = tx * uy - ty * ux;
      const second = (dx * qx + dy * qy + dz * qz) / determinant;
      if (second < 0 || first + second > 1) continue;
      const along = (wx * qx + wy * qy + wz * qz) / determinant;
      if (along > 0 && along < distance) {
        distance = along;
        face = i / 3;
      }
    }
    if (face < 0) return null;
    return { distance, face, point: [ox + dx * distance, oy + dy * distance, oz + dz * distance] };
  }
}
