// The timelines, drawn by uPlot: one lane per measure, strips for contacts and the camera, one ruler, one play head.

const LANE_HEIGHT = 54;
const STRIP_ROW = 9;
const TOUCHING = 128;

class Lanes {
  constructor(container, report, arrays, duration, onSeek) {
    Object.assign(this, { container, report, arrays, duration, onSeek });
    this.person = 0;
    this.span = 0;
    this.begin = 0;
    this.time = 0;
    this.observer = new ResizeObserver(() => this.resize());
    this.build();
  }

  get times() {
    return this.arrays[`lanes${this.person}.times`];
  }

  get range() {
    return this.span ? [this.begin, this.begin + this.span] : [0, Math.max(this.duration, 1e-3)];
  }

  build() {
    this.observer.disconnect();
    this.lanes?.forEach((lane) => lane.plot?.destroy());
    const { measures } = this.report.lanes;
    this.lanes = [
      ...measures.map((measure) => this.measureLane(measure)),
      this.contactLane(),
      this.cameraLane(),
      this.rulerLane(),
    ];
    this.playhead = document.createElement("div");
    this.playhead.id = "playhead";
    this.container.replaceChildren(...this.lanes.map((lane) => lane.row), this.playhead);
    this.observer.observe(this.container);
    this.resize();
    this.show(this.time);
  }

  lane(title, detail, kind = "") {
    const row = element("div", `lane ${kind}`);
    const name = element("div", "lane-name");
    const now = element("span", "now");
    name.append(element("b", "", title), now, element("span", "", detail));
    const area = element("div", "lane-plot");
    if (!detail) name.lastChild.remove();
    row.append(name, area);
    if (!kind.includes("none")) this.listen(area);
    return { row, area, now };
  }

  listen(area) {
    const seek = (event) => {
      const box = area.getBoundingClientRect();
      const [from, to] = this.range;
      this.onSeek(from + ((event.clientX - box.left) / box.width) * (to - from));
    };
    area.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      area.setPointerCapture(event.pointerId);
      seek(event);
    });
    area.addEventListener("pointermove", (event) => {
      if (area.hasPointerCapture(event.pointerId)) seek(event);
    });
  }

  measureLane(measure) {
    const values = this.arrays[`lanes${this.person}.${measure.name}`];
    const known = values.filter((value) => !Number.isNaN(value));
    const unit = measure.unit ? ` ${measure.unit}` : "";
    if (!known.length) {
      const lane = this.lane(measure.title, "", "none");
      lane.area.textContent = measure.name.startsWith("reprojection") ? "needs the detected points" : "nothing to measure";
      return { ...lane, show() {} };
    }
    const most = known.reduce((a, b) => Math.max(a, b));
    const least = known.reduce((a, b) => Math.min(a, b));
    const edge = measure.moreIsBetter ? least : most;
    const lane = this.lane(measure.title, `${measure.moreIsBetter ? "least" : "most"} ${figureText(edge)}${unit}`);
    lane.row.title = measure.about;
    lane.area.setAttribute("role", "img");
    lane.area.setAttribute("aria-label", `${measure.title} over time; ${measure.moreIsBetter ? "least" : "most"} ${figureText(edge)}${unit}`);
    const top = measure.moreIsBetter ? 1 : Math.max(measure.poor * 1.3, Math.min(most * 1.08, measure.poor * 4));
    // Beyond the top of the lane the line runs along it.
    const cut = (value) => (Number.isNaN(value) ? null : Math.min(value, top));
    const stroke = (plot) => severityGradient(plot, measure, top);
    const plot = this.plot(lane.area, LANE_HEIGHT, [Array.from(this.times), Array.from(values, cut)], {
      scales: { y: { range: [0, top] } },
      series: [{}, { stroke, width: 1.4, points: { show: known.length === 1 } }],
      hooks: { drawClear: [(one) => drawLimits(one, measure)] },
    });
    const show = (row) => {
      lane.now.textContent = Number.isNaN(values[row]) ? "–" : `${figureText(values[row])}${unit}`;
    };
    return { ...lane, plot, height: LANE_HEIGHT, show };
  }

  contactLane() {
    const contacts = this.arrays[`lanes${this.person}.contacts`];
    const names = this.report.lanes.contacts;
    const lane = this.lane("Floor contact", "L heel, toe; R heel, toe", "strip");
    lane.area.setAttribute("role", "img");
    lane.area.setAttribute("aria-label", "When each heel and toe touches the floor");
    const height = 4 * STRIP_ROW + 14;
    const plot = this.plot(lane.area, height, [Array.from(this.times), this.blank()], {
      hooks: {
        draw: [(one) => names.forEach((_, foot) => {
          const touching = (row) => contacts[row * names.length + foot] >= TOUCHING;
          const color = foot < 2 ? styleOf("--accent") : styleOf("--good");
          drawRuns(one, this.times, (row) => (touching(row) ? color : null), foot / 4, 1 / 4);
        })],
      },
    });
    const show = (row) => {
      const down = names.filter((_, foot) => contacts[row * names.length + foot] >= TOUCHING);
      lane.now.textContent = down.length ? down.join(", ") : "in the air";
    };
    return { ...lane, plot, height, show };
  }

  cameraLane() {
    const states = this.arrays[`lanes${this.person}.camera`];
    const names = this.report.lanes.cameraStates;
    const colors = ["--line", "--person1", "--person0", "--person3"];
    const kind = this.report.clip.camera;
    const lane = this.lane("Camera", "", "strip");
    if (kind) lane.row.title = `Solved as a ${kind} camera`;
    lane.area.setAttribute("role", "img");
    lane.area.setAttribute("aria-label", "When the camera stands still, turns, moves or zooms");
    const height = 20;
    const plot = this.plot(lane.area, height, [Array.from(this.times), this.blank()], {
      hooks: {
        draw: [(one) => {
          const palette = colors.map(styleOf);
          drawRuns(one, this.times, (row) => palette[states[row]], 0, 1);
        }],
      },
    });
    return { ...lane, plot, height, show: (row) => (lane.now.textContent = names[states[row]]) };
  }

  rulerLane() {
    const lane = this.lane("", "", "ruler");
    const axis = {
      show: true, side: 2, size: 24, gap: 2, font: "12px system-ui, sans-serif", space: 70,
      stroke: () => styleOf("--quiet"), grid: { show: false }, ticks: { stroke: () => styleOf("--line"), size: 4 },
      values: ({ scales: { x } }, ticks) => {
        const edge = 0.03 * (x.max - x.min);
        const inside = (tick) => tick > x.min + edge && tick < x.max - edge;
        return ticks.map((tick) => (inside(tick) ? clockText(tick).replace(/\.00$/, "") : ""));
      },
    };
    const height = 26;
    const plot = this.plot(lane.area, height, [Array.from(this.times), this.blank()], {
      axes: [axis, { show: false }], padding: [0, 0, 0, 0],
    });
    return { ...lane, plot, height, show() {} };
  }

  blank() {
    return new Array(this.times.length).fill(null);
  }

  plot(area, height, data, options) {
    const { scales = {}, ...rest } = options;
    return new libraries.uPlot(
      {
        width: 100, height, padding: [4, 0, 4, 0],
        legend: { show: false }, cursor: { show: false }, select: { show: false },
        axes: [{ show: false }, { show: false }],
        series: [{}, { show: true, points: { show: false } }],
        scales: { x: { time: false, range: () => this.range }, y: { range: [0, 1], ...scales.y } },
        ...rest,
      },
      data,
      area,
    );
  }

  setPerson(person) {
    this.person = person;
    this.build();
  }

  setSpan(seconds) {
    this.span = seconds < this.duration ? seconds : 0;
    this.begin = Math.min(Math.max(this.time - this.span / 2, 0), Math.max(this.duration - this.span, 0));
    this.rescale();
    this.show(this.time);
  }

  rescale() {
    const [min, max] = this.range;
    this.lanes.forEach((lane) => lane.plot?.setScale("x", { min, max }));
  }

  resize() {
    this.lanes.forEach((lane) => {
      const width = lane.area.clientWidth;
      if (lane.plot && width > 0 && width !== lane.plot.width) lane.plot.setSize({ width, height: lane.height });
    });
    const { area } = this.lanes.at(-1);
    this.plotLeft = area.offsetLeft;
    this.plotWidth = area.clientWidth;
    this.placePlayhead();
  }

  paint() {
    this.lanes.forEach((lane) => lane.plot?.redraw(false, true));
  }

  show(time) {
    this.time = time;
    if (this.span && (time < this.begin || time > this.begin + this.span)) {
      const before = time < this.begin ? this.span * 0.9 : this.span * 0.1;
      this.begin = Math.min(Math.max(time - before, 0), Math.max(this.duration - this.span, 0));
      this.rescale();
    }
    const row = nearest(this.times, time);
    this.lanes.forEach((lane) => lane.show(row));
    this.placePlayhead();
  }

  placePlayhead() {
    const [from, to] = this.range;
    const x = this.plotLeft + ((this.time - from) / (to - from)) * this.plotWidth;
    this.playhead.style.transform = `translateX(${x.toFixed(1)}px)`;
  }
}

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className.trim();
  if (text) made.textContent = text;
  return made;
}

function figureText(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

// A line's colour by height: quiet within the limits, then fair, then poor.
function severityGradient(plot, measure, top) {
  const { ctx, bbox } = plot;
  const gradient = ctx.createLinearGradient(0, bbox.top + bbox.height, 0, bbox.top);
  const [first, second] = measure.moreIsBetter ? [measure.poor, measure.good] : [measure.good, measure.poor];
  const colors = measure.moreIsBetter ? ["--poor", "--fair", "--accent"] : ["--accent", "--fair", "--poor"];
  const stops = [0, first / top, first / top, second / top, second / top, 1];
  stops.forEach((stop, i) => gradient.addColorStop(Math.min(stop, 1), styleOf(colors[i >> 1])));
  return gradient;
}

function drawLimits(plot, measure) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.setLineDash([3, 3]);
  ctx.lineWidth = 1;
  [[measure.good, "--line"], [measure.poor, "--line"]].forEach(([limit, color]) => {
    const y = Math.round(plot.valToPos(limit, "y", true)) + 0.5;
    if (y < bbox.top) return;
    ctx.strokeStyle = styleOf(color);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  });
  ctx.restore();
}

// Rows of one colour in a strip that begins at share `top` of the height and is `share` of it high.
function drawRuns(plot, times, colorOf, top, share) {
  const { ctx, bbox } = plot;
  const step = times.length > 1 ? (times[times.length - 1] - times[0]) / (times.length - 1) : 0.04;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  let begin = 0;
  for (let row = 1; row <= times.length; row++) {
    if (row < times.length && colorOf(row) === colorOf(begin)) continue;
    const color = colorOf(begin);
    if (color) {
      const left = plot.valToPos(times[begin] - step / 2, "x", true);
      const right = plot.valToPos(times[row - 1] + step / 2, "x", true);
      ctx.fillStyle = color;
      ctx.fillRect(left, bbox.top + bbox.height * top + 1, Math.max(right - left, 1), bbox.height * share - 2);
    }
    begin = row;
  }
  ctx.restore();
}
