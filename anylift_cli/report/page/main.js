// Puts the parts together: one player moves the 3D view, the picture and the timelines.

const PLAY = "M4 2.5v11l9-5.5z";
const PAUSE = "M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z";

async function start() {
  const report = JSON.parse(textOf("report-data"));
  showHeader(report);
  showVerdict(report);
  showFigures(report);
  showMaking(report);

  const arrays = await readArrays(report.arrays);
  const world = makeWorld(report, arrays);
  const video = showVideo(report);
  const picture = world && video ? new Picture(byId("picture-marks"), world, arrays) : null;
  const duration = arrays.times.at(-1);
  const lanes = new Lanes(byId("lanes"), report, arrays, duration, (time) => player.seek(time));

  const onFrame = (frame) => {
    world?.show(frame);
    picture?.draw();
    lanes.show(arrays.times[frame]);
    const clock = `${clockText(arrays.times[frame])} / ${clockText(duration)}`;
    byId("scrub").value = frame;
    byId("scrub").setAttribute("aria-valuetext", `${clock}, frame ${frame}`);
    byId("clock").textContent = `${clock}  #${frame}`;
  };
  const onState = (playing) => {
    byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    byId("play-icon").setAttribute("d", playing ? PAUSE : PLAY);
  };
  const player = new Player(video, arrays.times, onFrame, onState);
  video?.addEventListener("error", () => {
    player.detach();
    byId("picture").hidden = true;
    tell("This browser cannot play the video (H.264); the rest of the page works without it.");
  });

  const seekMoment = (moment) => {
    player.pause();
    if (moment.person !== lanes.person) choosePerson(moment.person);
    player.seek(moment.time);
  };
  const choosePerson = (person) => {
    byId("person").value = person;
    lanes.setPerson(person);
    world?.setFocus(person);
  };
  showMoments(report, seekMoment);
  connect({ report, arrays, world, picture, lanes, player, choosePerson, seekMoment });
  onFrame(0);
  return { player, world, lanes, picture };
}

function tell(problem) {
  byId("problem").textContent = problem;
  byId("problem").hidden = false;
}

function makeWorld(report, arrays) {
  try {
    return new World(byId("world-canvas"), report.scene, arrays);
  } catch (error) {
    if (!/webgl/i.test(String(error))) throw error;
    byId("world-canvas").hidden = true;
    byId("world-missing").hidden = false;
    return null;
  }
}

function showVideo(report) {
  const source = readVideo();
  if (!source) return null;
  const [width, height] = report.scene.camera.size;
  byId("views").style.setProperty("--ratio", width / height);
  byId("picture").hidden = false;
  byId("video").src = source;
  return byId("video");
}

function connect({ report, arrays, world, picture, lanes, player, choosePerson, seekMoment }) {
  const on = (id, event, act) => byId(id).addEventListener(event, (given) => act(given.target));
  byId("scrub").max = arrays.times.length - 1;
  on("play", "click", () => player.toggle());
  on("scrub", "input", (range) => player.seekFrame(Number(range.value)));
  on("speed", "change", (select) => player.setSpeed(Number(select.value)));
  on("span", "change", (select) => lanes.setSpan(Number(select.value)));
  on("show-mesh", "change", (box) => world?.showMesh(box.checked));
  on("show-bones", "change", (box) => world?.showBones(box.checked));
  on("follow", "change", (box) => world?.setFollow(box.checked));
  const redraw = (name) => (box) => {
    picture[name] = box.checked;
    picture.draw();
  };
  if (picture) {
    on("show-skeleton", "change", redraw("skeleton"));
    on("show-detected", "change", redraw("detected"));
    byId("detected-label").hidden = !arrays["detected.times"];
  }
  connectViews(world);
  connectPeople(report, choosePerson);
  connectKeys(player, report, seekMoment);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    world?.paint();
    picture?.draw();
    lanes.paint();
  });
}

function connectViews(world) {
  const buttons = [...byId("view-buttons").children];
  buttons.forEach((button) => {
    button.disabled = !world || (button.dataset.view === "camera" && !world.film);
    button.addEventListener("click", () => world.setView(button.dataset.view));
  });
  if (!world) return;
  world.onView = (view) => {
    buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.view === view));
  };
}

function connectPeople(report, choosePerson) {
  const { people } = report.scene;
  byId("person-field").hidden = people.length < 2;
  byId("person").replaceChildren(
    ...people.map(({ name }, number) => {
      const option = element("option", "", name);
      option.value = number;
      return option;
    }),
  );
  byId("person").addEventListener("change", (event) => choosePerson(Number(event.target.value)));
}

function connectKeys(player, report, seekMoment) {
  const moments = report.moments.toSorted((a, b) => a.time - b.time);
  const second = Math.max(1, Math.round(1 / player.step));
  const beyond = 0.5 * player.step;
  const actions = {
    " ": () => player.toggle(),
    ArrowLeft: (event) => player.seekFrame(player.frame - (event.shiftKey ? second : 1)),
    ArrowRight: (event) => player.seekFrame(player.frame + (event.shiftKey ? second : 1)),
    Home: () => player.seekFrame(0),
    End: () => player.seekFrame(player.times.length - 1),
    ",": () => moments.filter(({ time }) => time < player.time - beyond).slice(-1).forEach(seekMoment),
    ".": () => moments.filter(({ time }) => time > player.time + beyond).slice(0, 1).forEach(seekMoment),
  };
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    const { target, key } = event;
    if (target.matches("select, textarea")) return;
    if (key === " " && target.matches("button, summary, input[type=checkbox]")) return;
    if (!Object.hasOwn(actions, key)) return;
    if (key.startsWith("Arrow") || key === "Home" || key === "End" || key === " ") event.preventDefault();
    actions[key](event);
  });
}

window.anyliftReport = start().catch((error) => {
  tell(`This page could not be shown: ${error.message}`);
  throw error;
});
