// What is drawn over the video: the lifted skeleton as the video's camera sees it, and the detected points.

const SURE = 0.5;

class Picture {
  constructor(canvas, world, arrays) {
    this.canvas = canvas;
    this.world = world;
    this.arrays = arrays;
    this.skeleton = true;
    this.detected = false;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  draw() {
    const { film, frame } = this.world;
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    if (!film || !width || !height) return;
    const density = Math.min(window.devicePixelRatio, 2);
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    const context = this.canvas.getContext("2d");
    const scale = Math.min(width / film.size[0], height / film.size[1]);
    context.setTransform(
      scale * density, 0, 0, scale * density,
      ((width - film.size[0] * scale) / 2) * density, ((height - film.size[1] * scale) / 2) * density,
    );
    const pixel = 1 / scale;
    this.world.bodies.forEach((body) => {
      if (this.skeleton && body.present) this.drawSkeleton(context, body, film.project(body.joints, frame), pixel);
      if (this.detected) this.drawDetected(context, body.number, pixel);
    });
  }

  drawSkeleton(context, body, points, pixel) {
    const path = new Path2D();
    body.segments.forEach(([parent, joint]) => {
      if (Number.isNaN(points[parent * 2]) || Number.isNaN(points[joint * 2])) return;
      path.moveTo(points[parent * 2], points[parent * 2 + 1]);
      path.lineTo(points[joint * 2], points[joint * 2 + 1]);
    });
    context.lineCap = "round";
    context.lineWidth = 5 * pixel;
    context.strokeStyle = "rgb(0 0 0 / 0.55)";
    context.stroke(path);
    context.lineWidth = 2.5 * pixel;
    context.strokeStyle = personColor(body.number);
    context.stroke(path);
  }

  drawDetected(context, number, pixel) {
    const points = this.arrays[`detected${number}.points`];
    if (!points) return;
    const confidence = this.arrays[`detected${number}.confidence`];
    const times = this.arrays["detected.times"];
    const row = nearest(times, this.arrays.times[this.world.frame]);
    const count = confidence.length / times.length;
    for (let i = row * count; i < (row + 1) * count; i++) {
      if (Number.isNaN(points[i * 2]) || !confidence[i]) continue;
      context.beginPath();
      context.arc(points[i * 2], points[i * 2 + 1], 3 * pixel, 0, 2 * Math.PI);
      context.globalAlpha = confidence[i] / 255 >= SURE ? 1 : 0.4;
      context.fillStyle = "#fff";
      context.fill();
      context.lineWidth = 1.5 * pixel;
      context.strokeStyle = "#000";
      context.stroke();
      context.globalAlpha = 1;
    }
  }
}
