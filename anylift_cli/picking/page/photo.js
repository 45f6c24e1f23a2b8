// The frame of the video: zoomed, moved and clicked, with what was clicked and the mesh's outline drawn over it.

const CLOSEST = 24;

class Photo {
  constructor(canvas, onPixel) {
    this.canvas = canvas;
    this.image = null;
    this.view = null;
    this.pixels = [];
    this.result = null;
    onClick(canvas, (x, y) => {
      const pixel = this.pixelAt(x, y);
      if (pixel) onPixel(pixel);
    });
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
    }, { passive: false });
    new ResizeObserver(() => {
      this.view = null;
      this.draw();
    }).observe(canvas);
  }

  // Shows a frame; of several that are asked for at once, the last.
  async show(url) {
    this.wanted = url;
    const image = new Image();
    image.src = url;
    await image.decode();
    if (this.wanted !== url) return;
    if (this.image?.naturalWidth !== image.naturalWidth) this.view = null;
    this.image = image;
    this.draw();
  }

  whole() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const scale = Math.min(width / this.image.naturalWidth, height / this.image.naturalHeight);
    const x = (width - scale * this.image.naturalWidth) / 2;
    return { scale, least: scale, x, y: (height - scale * this.image.naturalHeight) / 2 };
  }

  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    if (!this.view) return;
    const scale = Math.min(Math.max(this.view.scale * factor, this.view.least), CLOSEST);
    const ratio = scale / this.view.scale;
    if (scale === this.view.least) this.view = null;
    else this.view = { ...this.view, scale, x: x - (x - this.view.x) * ratio, y: y - (y - this.view.y) * ratio };
    this.draw();
  }

  drag(event) {
    if (!(event.buttons & 1) || !this.view) return;
    this.view.x += event.movementX;
    this.view.y += event.movementY;
    this.draw();
  }

  pixelAt(x, y) {
    if (!this.view) return null;
    const pixel = [(x - this.view.x) / this.view.scale, (y - this.view.y) / this.view.scale];
    const inside = pixel[0] >= 0 && pixel[1] >= 0 && pixel[0] <= this.image.naturalWidth && pixel[1] <= this.image.naturalHeight;
    return inside ? pixel.map((value) => Math.round(value * 10) / 10) : null;
  }

  onCanvas([x, y]) {
    return [this.view.x + x * this.view.scale, this.view.y + y * this.view.scale];
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!this.image || !width || !height) return;
    this.view ??= this.whole();
    const context = sharpCanvas(this.canvas);
    const { scale, x, y } = this.view;
    context.imageSmoothingEnabled = scale < 3;
    context.drawImage(this.image, x, y, scale * this.image.naturalWidth, scale * this.image.naturalHeight);
    if (this.result) this.drawResult(context);
    this.pixels.forEach((pixel, number) => {
      if (pixel) drawDisc(context, ...this.onCanvas(pixel), number, false);
    });
  }

  drawResult(context) {
    const path = new Path2D();
    this.result.outline.forEach((polygon) => {
      polygon.forEach((pixel, i) => path[i ? "lineTo" : "moveTo"](...this.onCanvas(pixel)));
      path.closePath();
    });
    this.result.seen.forEach((pixel, number) => {
      if (!this.pixels[number]) return;
      path.moveTo(...this.onCanvas(this.pixels[number]));
      path.lineTo(...this.onCanvas(pixel));
    });
    for (const [lineWidth, strokeStyle] of [[4, "rgb(0 0 0 / 0.6)"], [1.75, "#ffe14d"]]) {
      Object.assign(context, { lineWidth, strokeStyle });
      context.stroke(path);
    }
  }
}
