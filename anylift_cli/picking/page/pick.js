// Puts the parts together: clicks become pairs, pairs a pose, and the pairs of all frames the points file.

const GOOD = 3;
const FAIR = 8;

const byId = (id) => document.getElementById(id);

class Picker {
  constructor(facts, arrays) {
    this.facts = facts;
    this.arrays = arrays;
    this.clicks = facts.objects.map(({ name }) => {
      const of = (entry) => entry.pixels.map((pixel, i) => ({ pixel, point: entry.points?.[i] ?? null }));
      return new Map(facts.entries[name].map((entry) => [entry.frame, of(entry)]));
    });
    this.object = 0;
    this.frame = facts.first;
    this.pending = {};
    this.result = null;
    this.dirty = false;
    this.photo = new Photo(byId("photo"), (pixel) => this.add({ pixel }));
    try {
      this.surface = new Surface(byId("mesh"), byId("mesh-marks"), (point) => this.add({ point }));
    } catch {
      byId("mesh-missing").hidden = false;
    }
  }

  get one() {
    return this.facts.objects[this.object];
  }

  get pairs() {
    return this.clicks[this.object].get(this.frame) ?? [];
  }

  setObject(number) {
    this.object = number;
    this.pending = {};
    byId("object").value = number;
    byId("size").textContent = this.one.ball ? `a ball, ${this.one.size}` : this.one.size;
    byId("mesh-figure").hidden = this.one.ball;
    byId("views").classList.toggle("alone", this.one.ball);
    if (!this.one.ball) {
      const of = (name) => this.arrays[`mesh${number}.${name}`];
      this.surface?.setMesh(of("vertices"), of("faces"));
    }
    return this.changed();
  }

  async setFrame(frame) {
    if (!Number.isFinite(frame)) return;
    this.frame = Math.min(Math.max(Math.round(frame), this.facts.first), this.facts.last);
    this.pending = {};
    byId("slider").value = this.frame;
    byId("number").value = this.frame;
    const changed = this.changed();
    try {
      await this.photo.show(`frame/${this.frame}`);
      tell("");
    } catch {
      tell(`Frame ${this.frame} cannot be shown.`);
    }
    await changed;
  }

  add(click) {
    this.pending = { ...this.pending, ...click };
    if (this.pending.pixel && (this.pending.point || this.one.ball)) {
      this.setPairs([...this.pairs, { pixel: this.pending.pixel, point: this.pending.point ?? null }]);
    } else {
      this.changed();
    }
  }

  undo() {
    if (Object.keys(this.pending).length) {
      this.pending = {};
      this.changed();
    } else {
      this.setPairs(this.pairs.slice(0, -1));
    }
  }

  setPairs(pairs) {
    this.pending = {};
    this.dirty = true;
    if (pairs.length) this.clicks[this.object].set(this.frame, pairs);
    else this.clicks[this.object].delete(this.frame);
    return this.changed();
  }

  async changed() {
    const { pairs } = this;
    this.result = null;
    this.show();
    if (pairs.length < this.one.wanted) return;
    const asked = {
      object: this.one.name,
      frame: this.frame,
      pixels: pairs.map(({ pixel }) => pixel),
      points: this.one.ball ? [] : pairs.map(({ point }) => point),
    };
    const { ok, value } = await post("pose", asked);
    if (pairs !== this.pairs) return;
    if (!ok) tell(value.problem);
    this.result = ok ? value ?? "none" : null;
    this.show();
  }

  show() {
    const { pairs, pending, one } = this;
    const fits = this.result && this.result !== "none";
    Object.assign(this.photo, { pixels: [...pairs.map(({ pixel }) => pixel), pending.pixel], result: fits ? this.result : null });
    this.photo.draw();
    if (this.surface) {
      this.surface.points = [...pairs.map(({ point }) => point), pending.point];
      this.surface.draw();
    }
    byId("next").textContent = this.nextWords();
    byId("photo-frame").classList.toggle("wanted", one.ball || Boolean(pending.point));
    byId("mesh-frame").classList.toggle("wanted", !one.ball && !pending.point);
    byId("pairs-title").textContent = `${pairs.length} ${one.ball ? "points" : "pairs"} of ${one.name} in frame ${this.frame}`;
    byId("undo").disabled = !pairs.length && !Object.keys(pending).length;
    this.showFit(fits);
    byId("pairs").replaceChildren(...pairs.map((pair, number) => this.row(pair, number, fits)));
    const frames = [...this.clicks[this.object].keys()].sort((a, b) => a - b);
    byId("frames").replaceChildren(...frames.map((frame) => this.frameButton(frame)));
  }

  nextWords() {
    const { one, pending } = this;
    const left = one.wanted - this.pairs.length;
    const more = left > 0 ? ` (${left} more)` : "";
    if (one.ball) return `Click points on the outline of the ball, all round it${more}.`;
    if (pending.point) return "Now click the same point in the picture.";
    if (pending.pixel) return "Now click the same point of the mesh.";
    return `Click a point of the mesh, a corner best, on more than one side${more}.`;
  }

  showFit(fits) {
    const badge = byId("fit");
    badge.hidden = !this.result;
    if (!this.result) return;
    const { rms, distance } = this.result;
    badge.className = `badge ${fits ? grade(rms) : "poor"}`;
    const far = distance ? `, ${distance.toFixed(2)} m away` : "";
    badge.textContent = fits ? `fits to ${rms.toFixed(1)} px${far}` : "no pose fits these clicks";
  }

  row(pair, number, fits) {
    const item = document.createElement("li");
    const disc = Object.assign(document.createElement("span"), { className: "disc", textContent: number + 1 });
    disc.style.background = colorOf(number);
    const words = [pair.point && `mesh ${pair.point.map(short).join(", ")}`, `pixel ${pair.pixel.map((value) => value.toFixed(1)).join(", ")}`];
    const place = Object.assign(document.createElement("span"), { textContent: words.filter(Boolean).join(" → ") });
    const miss = Object.assign(document.createElement("span"), { className: "miss" });
    if (fits) {
      miss.textContent = `${this.result.miss[number].toFixed(1)} px`;
      if (grade(this.result.miss[number]) === "poor") miss.classList.add("poor");
    }
    const remove = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
    remove.setAttribute("aria-label", `Remove ${number + 1}`);
    remove.addEventListener("click", () => this.setPairs(this.pairs.filter((_, i) => i !== number)));
    item.append(disc, place, miss, remove);
    return item;
  }

  frameButton(frame) {
    const item = document.createElement("li");
    const count = this.clicks[this.object].get(frame).length;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: `${frame} (${count})` });
    button.setAttribute("aria-current", frame === this.frame);
    button.addEventListener("click", () => this.setFrame(frame));
    item.append(button);
    return item;
  }

  async save(replace) {
    const entries = this.facts.objects.map(({ name, ball }, number) => [
      name,
      [...this.clicks[number]].map(([frame, pairs]) => {
        const pixels = pairs.map(({ pixel }) => pixel);
        return ball ? { frame, pixels } : { frame, pixels, points: pairs.map(({ point }) => point) };
      }),
    ]);
    const { ok, status, value } = await post("save", { objects: Object.fromEntries(entries), replace });
    byId("replace").hidden = status !== 409;
    byId("saved").textContent = ok ? savedWords(this.facts.file, value) : `Not saved: ${value.problem}`;
    if (ok) this.dirty = false;
    return ok;
  }
}

const grade = (px) => (px < GOOD ? "good" : px < FAIR ? "fair" : "poor");

const short = (value) => String(Math.round(value * 1000) / 1000);

function savedWords(file, { saved, left_out: left }) {
  const list = (entries) => entries.map(([name, frame, count]) => `${name} in frame ${frame} (${count})`).join(", ");
  const rest = left.length ? ` Left out, too few clicks: ${list(left)}.` : "";
  return `Saved to ${file}: ${saved.length ? list(saved) : "no clicks"}.${rest}`;
}

function tell(problem) {
  byId("problem").textContent = problem;
  byId("problem").hidden = !problem;
}

async function post(action, body) {
  try {
    const answer = await fetch(action, { method: "POST", body: JSON.stringify(body) });
    return { ok: answer.ok, status: answer.status, value: await answer.json() };
  } catch {
    return { ok: false, status: 0, value: { problem: "anylift does not answer any more; start it again" } };
  }
}

async function start() {
  const facts = JSON.parse(textOf("facts"));
  byId("title").textContent = `Click objects in ${facts.video}`;
  byId("focal").textContent = `Focal length: ${facts.focal}.`;
  const picker = new Picker(facts, await readArrays(facts.arrays));
  byId("object").append(...facts.objects.map(({ name }, number) => new Option(name, number)));
  for (const id of ["slider", "number"]) Object.assign(byId(id), { min: facts.first, max: facts.last });
  byId("object").addEventListener("change", (event) => picker.setObject(Number(event.target.value)));
  byId("slider").addEventListener("input", (event) => picker.setFrame(Number(event.target.value)));
  byId("number").addEventListener("change", (event) => picker.setFrame(event.target.valueAsNumber));
  byId("closer").addEventListener("click", () => picker.photo.zoom(1.6));
  byId("farther").addEventListener("click", () => picker.photo.zoom(1 / 1.6));
  byId("whole").addEventListener("click", () => picker.photo.zoom(0));
  byId("undo").addEventListener("click", () => picker.undo());
  byId("save").addEventListener("click", () => picker.save(false));
  byId("replace").addEventListener("click", () => picker.save(true));
  byId("done").addEventListener("click", async () => {
    if (picker.dirty && !(await picker.save(false))) return;
    const { ok } = await post("done", {});
    if (!ok) return;
    byId("saved").textContent = "Done. This page can be closed; anylift goes on in the terminal.";
    document.querySelectorAll("button, input, select").forEach((one) => (one.disabled = true));
  });
  window.addEventListener("beforeunload", (event) => picker.dirty && event.preventDefault());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => picker.surface?.draw());
  await picker.setObject(0);
  await picker.setFrame(picker.clicks[0].keys().next().value ?? facts.first);
  return picker;
}

window.anyliftPick = start();
window.anyliftPick.catch((error) => tell(`This page could not be shown: ${error.message}`));
