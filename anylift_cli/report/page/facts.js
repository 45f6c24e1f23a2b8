// Words and tables: the verdict, the weakest seconds, the figures, how it was made. All text goes in as text.

const RATINGS = { good: "Good", fair: "Fair", poor: "Poor" };
const VERDICTS = { good: "Looks good", fair: "Mind the weak spots", poor: "Check first" };

const byId = (id) => document.getElementById(id);

function showHeader(report) {
  const { clip, scene } = report;
  byId("title").textContent = report.title;
  const people = scene.people.length;
  const facts = [
    `${clip.seconds.toFixed(1)} s`,
    `${clip.frames} frames at ${Number(clip.fps.toFixed(2))}/s`,
    people === 1 ? "1 person" : `${people} people`,
    clip.heights.map((height) => `${height.toFixed(2)} m`).join(", ") + " tall",
    ...(clip.camera ? [`${clip.camera} camera`] : []),
    ...scene.props.map((prop) => prop.name),
  ];
  byId("clip").textContent = facts.join(" · ");
  byId("made").textContent = `Made by ${report.made}. This page holds all it shows and connects to nothing.`;
}

function showVerdict({ verdict }) {
  byId("rating").textContent = VERDICTS[verdict.rating];
  byId("rating").classList.add(verdict.rating);
  byId("verdict-words").textContent = verdict.words;
  byId("verdict-detail").textContent = verdict.detail;
}

function showMoments(report, onSeek) {
  const several = report.scene.people.length > 1;
  byId("moments-none").hidden = report.moments.length > 0;
  byId("moments").replaceChildren(
    ...report.moments.map((moment) => {
      const button = element("button");
      button.type = "button";
      const dot = element("span", `dot ${moment.rating}`);
      dot.setAttribute("role", "img");
      dot.setAttribute("aria-label", RATINGS[moment.rating]);
      const words = element("span", "", moment.words[0].toUpperCase() + moment.words.slice(1));
      if (several) words.append(element("span", "who", ` · ${report.scene.people[moment.person].name}`));
      button.append(dot, element("span", "time", clockText(moment.time)), words);
      button.addEventListener("click", () => onSeek(moment));
      const item = element("li");
      item.append(button);
      return item;
    }),
  );
}

function showFigures(report) {
  const { measures } = report.lanes;
  byId("figures").replaceChildren(
    ...report.people.map((person, number) => {
      const table = element("table");
      if (report.people.length > 1) table.append(element("caption", "", report.scene.people[number].name));
      const body = element("tbody");
      measures.forEach((measure, i) => body.append(figureRow(measure, person.figures[i])));
      body.append(seenRow(person.seen));
      table.append(body);
      return table;
    }),
  );
}

function figureRow(measure, { value, rating }) {
  const unit = measure.unit ? ` ${measure.unit}` : "";
  const [good, poor] = measure.moreIsBetter ? ["over", "under"] : ["under", "over"];
  const limits = `good ${good} ${measure.good}, poor ${poor} ${measure.poor}`;
  const line = row(measure.title, limits, value === null ? "not measured" : `${figureText(value)}${unit}`, rating);
  line.title = measure.about;
  return line;
}

function seenRow({ value, rating }) {
  return row("Seen in", "good over 95, poor under 80", `${(value * 100).toFixed(0)} % of frames`, rating);
}

function row(title, limits, value, rating) {
  const line = element("tr");
  const name = element("th", "", title);
  name.scope = "row";
  name.append(element("span", "limits", limits));
  const state = element("td", "state number");
  if (rating) state.append(element("span", `badge ${rating}`, RATINGS[rating]));
  line.append(name, element("td", "number", value), state);
  return line;
}

function showMaking({ making }) {
  const table = element("table");
  const head = element("tr");
  [["Stage"], ["By"], ["Took", "number"], ["Version"], ["What it says"]].forEach(([text, className]) => {
    const cell = element("th", className, text);
    cell.scope = "col";
    head.append(cell);
  });
  const body = element("tbody");
  making.forEach((stage) => {
    const line = element("tr");
    const notes = element("dl");
    stage.notes.forEach(({ name, text }) => notes.append(element("dt", "", name), element("dd", "", text)));
    if (stage.created) notes.append(element("dt", "", "made"), element("dd", "", stage.created.replace("T", " ").replace("+00:00", " UTC")));
    const said = element("td");
    said.append(notes);
    line.append(
      element("td", "", stage.stage),
      element("td", "", stage.backend),
      element("td", "number", stage.seconds === null ? "" : `${stage.seconds.toFixed(1)} s`),
      element("td", "version", stage.version),
      said,
    );
    body.append(line);
  });
  const header = element("thead");
  header.append(head);
  table.append(header, body);
  byId("making").replaceChildren(table);
}
