// Shows one result: the picture with its regions, their measures, the model's text, the lineage, and corrections.
// The page and the MCP App share it. Text from models and files becomes text nodes, never HTML.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const COLOURS = 7;

function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "hidden" || name === "disabled") made[name] = value;
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function shape(tag, attributes = {}) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const colourOf = (id) => `c${(id - 1) % COLOURS}`;
const unitOf = (unit) => unit.replace("2", "²");

// Formats a value with as many decimals as its plus/minus allows.
function amount(value, plusMinus) {
  const digits = plusMinus > 0 ? clamp(1 - Math.floor(Math.log10(plusMinus)), 0, 15) : 2;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
const measure = (value, plusMinus, unit) => `${amount(value, plusMinus)} ± ${amount(plusMinus, plusMinus)} ${unitOf(unit)}`;
const counted = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;
// Formats an area briefly, for lists: in square kilometres from 1 km2 on.
const roughly = (value, unit) => (unit === "m2" && value >= 1e6 ? `${Number((value / 1e6).toPrecision(3)).toLocaleString("en")} km²` : `${amount(value, value / 100)} ${unitOf(unit)}`);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const bytes = (n) => (n < 1024 ? `${n} B` : n < 1048576 ? `${(n / 1024).toFixed(0)} KB` : `${(n / 1048576).toFixed(1)} MB`);
const when = (utc) => (utc ? new Date(utc).toLocaleString() : "");

// Interpolates longitude and latitude of a point in the picture from the grid; null outside the Earth.
function lonlatAt(shown, x, y) {
  const grid = shown.grid;
  if (!grid) return null;
  const [width, height] = shown.record.scene.view_size;
  const last = grid.length - 1;
  const gx = clamp((x / width) * last, 0, last), gy = clamp((y / height) * last, 0, last);
  const column = Math.min(Math.floor(gx), last - 1), row = Math.min(Math.floor(gy), last - 1);
  const corners = [grid[row][column], grid[row][column + 1], grid[row + 1][column], grid[row + 1][column + 1]];
  if (corners.some((corner) => corner === null)) return null;
  const fx = gx - column, fy = gy - row;
  const shares = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy];
  const mix = (values) => values.reduce((sum, value, i) => sum + value * shares[i], 0);
  const turned = (degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;
  const steps = corners.map((corner) => turned(corner[0] - corners[0][0]));
  if (steps.every((step) => Math.abs(step) < 30) && corners.every((corner) => Math.abs(corner[1]) < 80)) {
    const lon = corners[0][0] + mix(steps);
    return [Math.abs(lon) > 180 ? turned(lon) : lon, mix(corners.map((corner) => corner[1]))];
  }
  // Beside a pole longitudes jump from place to place: the places are mixed as points of a sphere.
  const radians = corners.map((corner) => corner.map((degrees) => (degrees * Math.PI) / 180));
  const [px, py, pz] = [([lon, lat]) => Math.cos(lat) * Math.cos(lon), ([lon, lat]) => Math.cos(lat) * Math.sin(lon), ([, lat]) => Math.sin(lat)].map((axis) => mix(radians.map(axis)));
  return [(Math.atan2(py, px) * 180) / Math.PI, (Math.atan2(pz, Math.hypot(px, py)) * 180) / Math.PI];
}

// Keeps the highlighted region and the chosen regions, and notifies listeners of changes.
class Selection {
  constructor() {
    this.hot = 0;
    this.chosen = new Set();
    this.watchers = [];
  }
  point(id, scroll = false) {
    this.hot = id;
    this.tell({ scroll });
  }
  toggle(id, scroll = false) {
    if (!this.chosen.delete(id)) this.chosen.add(id);
    this.tell({ scroll: scroll && id });
  }
  clear() {
    this.chosen.clear();
    this.tell({});
  }
  tell(how) {
    for (const watcher of this.watchers) watcher(how);
  }
}

// The user's corrections: points in pixels of the picture.
class Marks {
  constructor() {
    this.points = [];
    this.watchers = [];
  }
  add(x, y, good) {
    this.points.push({ x: Math.round(x * 100) / 100, y: Math.round(y * 100) / 100, good });
    this.tell();
  }
  undo() {
    this.points.pop();
    this.tell();
  }
  clear() {
    this.points = [];
    this.tell();
  }
  of(good) {
    return this.points.filter((point) => point.good === good).map((point) => [point.x, point.y]);
  }
  tell() {
    for (const watcher of this.watchers) watcher();
  }
}

// Fills `root` with a result. `doors` are the functions and options of the page around it:
//   picture() -> Promise of a URL; href(id); open(id); refine(correction, progress, signal) -> Promise of an id, or null;
//   download(name) -> Promise, or null. `compact`: less important sections are collapsed.
function showResult(root, shown, doors) {
  const selection = new Selection(), marks = new Marks();
  const record = shown.record;
  const correction = doors.refine ? correctionOf(shown, selection, marks, doors) : null;
  const where = [record.scene.name, record.scene.crs || "no coordinate system", shown.gsd_m ? `${shown.gsd_m.toPrecision(3)} m a pixel` : null, record.operation, when(record.created_utc)];
  root.replaceChildren(
    el("div", { class: "title" }, el("h2", {}, record.query), el("p", {}, where.filter(Boolean).join(" · "))),
    ...(shown.remark ? [el("p", { class: "alert", role: "alert" }, shown.remark)] : []),
    el("div", { class: "layout" },
      el("div", { class: "stack left" }, pictureOf(shown, selection, marks, doors, correction)),
      el("div", { class: "stack" }, tableOf(shown, selection, correction), wordsOf(record, doors), lineageOf(shown, doors), recordOf(shown, doors))),
  );
}

function pictureOf(shown, selection, marks, doors, correction) {
  const [width, height] = shown.record.scene.view_size;
  const box = { x: 0, y: 0, width, height };
  const count = shown.outlines.length;
  const picture = shape("svg", { tabindex: 0, role: "application", "aria-label": `Picture with ${counted(count, "region")}. Arrow keys move a cross.`, preserveAspectRatio: "xMidYMid meet" });
  picture.style.aspectRatio = `${width} / ${height}`;
  const photo = shape("image", { width, height });
  const regions = shape("g"), numbers = shape("g"), prompts = shape("g"), points = shape("g"), cross = shape("g");
  picture.append(photo, regions, numbers, prompts, points, cross);
  const paths = new Map(), numberOf = new Map(), sizes = new Map();
  for (const outline of shown.outlines) {
    const d = outline.rings.map(pathOf).join("");
    const path = shape("path", { d, class: `region ${colourOf(outline.id)}`, "fill-rule": "evenodd", "data-id": outline.id });
    const fact = shown.record.regions.find((region) => region.id === outline.id);
    const tip = shape("title");
    tip.textContent = `${outline.id} ${fact.label}: ${measure(fact.area, fact.area_pm, shown.record.unit_area)}`;
    path.append(tip);
    paths.set(outline.id, path);
    regions.append(shape("path", { d, class: "halo" }), path);
    const number = shape("text", { class: "number", x: outline.inside[0], y: outline.inside[1] });
    number.textContent = outline.id;
    numbers.append(number);
    numberOf.set(outline.id, number);
    sizes.set(outline.id, extent(outline.rings));
  }
  const areaOf = ({ id }) => sizes.get(id).width * sizes.get(id).height;
  const bySize = [...shown.outlines].sort((a, b) => areaOf(b) - areaOf(a));
  for (const given of shown.record.prompted.instances) drawPrompt(prompts, given);
  prompts.setAttribute("visibility", "hidden");

  let mode = "look", spot = null;
  const readout = el("span", {}), spoken = el("span", { class: "skip", "aria-live": "polite" });
  const bar = el("i"), scale = el("span", { class: "scale", hidden: !shown.gsd_m }, bar, el("span"));

  function extent(rings) {
    const xs = rings.flatMap((ring) => ring.filter((_, i) => i % 2 === 0)), ys = rings.flatMap((ring) => ring.filter((_, i) => i % 2));
    const least = (values) => values.reduce((a, b) => Math.min(a, b)), most = (values) => values.reduce((a, b) => Math.max(a, b));
    return { width: most(xs) - least(xs), height: most(ys) - least(ys) };
  }
  function pathOf(ring) {
    let d = `M${ring[0]} ${ring[1]}`;
    for (let i = 2; i < ring.length; i += 2) d += `L${ring[i]} ${ring[i + 1]}`;
    return `${d}Z`;
  }
  const unitsPerPixel = () => {
    const matrix = picture.getScreenCTM();
    return matrix && matrix.a ? 1 / matrix.a : 1;
  };
  // Elements that keep their size on the screen at every zoom.
  function rescale() {
    picture.setAttribute("viewBox", `${box.x} ${box.y} ${box.width} ${box.height}`);
    picture.classList.toggle("zoomed", box.width < width);
    const unit = unitsPerPixel();
    placeNumbers(unit);
    photo.style.imageRendering = unit < 0.3 ? "pixelated" : "auto"; // close up, pixels are what was looked at
    for (const dot of prompts.querySelectorAll("circle")) dot.setAttribute("r", 3.5 * unit);
    for (const mark of points.querySelectorAll("circle")) mark.setAttribute("r", 8 * unit);
    drawSigns(unit);
    drawCross(unit);
    if (shown.gsd_m) {
      const most = (shown.gsd_m * 120) * unit;
      const power = 10 ** Math.floor(Math.log10(most));
      const length = [5, 2, 1].find((step) => step * power <= most) * power;
      bar.style.width = `${length / shown.gsd_m / unit}px`;
      bar.nextSibling.textContent = length >= 1000 ? `${length / 1000} km` : `${Number(length.toPrecision(1))} m`;
    }
  }
  // Larger regions get their numbers first; one that would lie on another, or on a speck, waits for a closer look.
  function placeNumbers(unit) {
    const taken = [];
    for (const { id, inside: [x, y] } of bySize) {
      const number = numberOf.get(id), { width: wide, height: high } = sizes.get(id);
      const half = (4 + 4 * String(id).length) * unit, tall = 8 * unit;
      const free = Math.max(wide, high) > 12 * unit && !taken.some((other) => Math.abs(other.x - x) < other.half + half && Math.abs(other.y - y) < 2 * tall);
      if (free) taken.push({ x, y, half });
      number.setAttribute("font-size", 13 * unit);
      number.setAttribute("stroke-width", 3 * unit);
      number.classList.toggle("crowded", !free);
    }
  }
  function drawSigns(unit) {
    for (const sign of points.querySelectorAll("path")) {
      const { x, y, good } = sign.dataset, r = 4 * unit;
      sign.setAttribute("d", `M${x - r} ${y}H${Number(x) + r}${good === "true" ? `M${x} ${y - r}V${Number(y) + r}` : ""}`);
    }
  }
  function drawCross(unit) {
    const d = spot ? `M${spot[0] - 14 * unit} ${spot[1]}h${28 * unit}M${spot[0]} ${spot[1] - 14 * unit}v${28 * unit}` : "";
    cross.replaceChildren(shape("path", { d, class: "cross back" }), shape("path", { d, class: "cross" }));
  }
  function zoom(factor, x = box.x + box.width / 2, y = box.y + box.height / 2) {
    const wide = clamp(box.width / factor, Math.min(width, 24), width), share = wide / box.width;
    box.x = clamp(x - (x - box.x) * share, 0, width - wide);
    box.y = clamp(y - (y - box.y) * share, 0, height - box.height * share);
    [box.width, box.height] = [wide, box.height * share];
    rescale();
  }
  function move(dx, dy) {
    box.x = clamp(box.x + dx, 0, width - box.width);
    box.y = clamp(box.y + dy, 0, height - box.height);
    rescale();
  }
  function bringInto(x, y) {
    const inside = x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
    if (!inside) move(x - box.x - box.width / 2, y - box.y - box.height / 2);
  }
  function placeOf(event) {
    const matrix = picture.getScreenCTM();
    if (!matrix) return null;
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    return x >= 0 && y >= 0 && x <= width && y <= height ? [x, y] : null;
  }
  const regionAt = (x, y) => shown.outlines.map((o) => o.id).reverse().find((id) => paths.get(id).isPointInFill(new DOMPoint(x, y))) || 0;
  function tellPlace(x, y) {
    const place = lonlatAt(shown, x, y);
    readout.textContent = (place ? `${place.map((degrees) => degrees.toFixed(shown.decimals)).join(", ")} lon, lat · ` : "") + `pixel ${Math.floor(x)}, ${Math.floor(y)}`;
  }
  function act([x, y], good) {
    if (mode === "look") {
      const id = regionAt(x, y);
      if (id) selection.toggle(id, true);
    } else marks.add(x, y, good);
  }

  let grip = null;
  picture.addEventListener("pointerdown", (event) => {
    grip = { x: event.clientX, y: event.clientY, moved: false };
  });
  picture.addEventListener("pointermove", (event) => {
    const place = placeOf(event);
    if (place) tellPlace(...place);
    if (!grip || !(event.buttons & 1)) return;
    const dx = event.clientX - grip.x, dy = event.clientY - grip.y;
    if (!grip.moved && Math.hypot(dx, dy) < 5) return;
    if (!grip.moved) picture.setPointerCapture(event.pointerId);
    const unit = unitsPerPixel();
    move(-dx * unit, -dy * unit);
    grip = { x: event.clientX, y: event.clientY, moved: true };
  });
  picture.addEventListener("click", (event) => {
    const dragged = grip && grip.moved, place = placeOf(event);
    grip = null;
    if (place && !dragged) act(place, mode === "belongs" && !event.altKey);
  });
  picture.addEventListener("contextmenu", (event) => {
    const place = placeOf(event);
    if (mode === "look" || !place) return;
    event.preventDefault();
    marks.add(...place, false);
  });
  picture.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // plain scrolling belongs to the page
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, ...(placeOf(event) || []));
  }, { passive: false });
  regions.addEventListener("pointerover", (event) => selection.point(Number(event.target.dataset.id) || 0, true));
  regions.addEventListener("pointerout", () => selection.point(0));
  picture.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 1 : box.width / 50;
    const steps = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (steps[event.key]) {
      spot = spot || [box.x + box.width / 2, box.y + box.height / 2];
      spot = [clamp(spot[0] + steps[event.key][0], 0, width), clamp(spot[1] + steps[event.key][1], 0, height)];
      bringInto(...spot);
      tellPlace(...spot);
      selection.point(regionAt(...spot), true);
      spoken.textContent = selection.hot ? `region ${selection.hot}` : readout.textContent;
      rescale();
    } else if (event.key === "Enter" && spot) act(spot, mode !== "does not");
    else if (correction && "pn".includes(event.key) && spot) marks.add(...spot, event.key === "p");
    else if (event.key === "+" || event.key === "=") zoom(1.5, ...(spot || []));
    else if (event.key === "-") zoom(1 / 1.5, ...(spot || []));
    else if (event.key === "0") zoom(1e-9);
    else if (event.key === "Backspace") marks.undo();
    else if (event.key === "Escape") {
      spot = null;
      selection.point(0);
      rescale();
    } else return;
    event.preventDefault();
  });

  selection.watchers.push((how) => {
    for (const [id, path] of paths) {
      path.classList.toggle("hot", id === selection.hot);
      path.classList.toggle("chosen", selection.chosen.has(id));
      numberOf.get(id).classList.toggle("hot", id === selection.hot || selection.chosen.has(id));
    }
    const outline = how.bring && shown.outlines.find((o) => o.id === how.bring);
    if (outline) bringInto(...outline.inside);
  });
  marks.watchers.push(() => {
    points.replaceChildren(...marks.points.flatMap(({ x, y, good }) => {
      const sign = shape("path", { class: "mark-sign" });
      Object.assign(sign.dataset, { x, y, good });
      return [shape("circle", { cx: x, cy: y, class: `mark ${good ? "positive" : "negative"}` }), sign];
    }));
    rescale();
  });
  new ResizeObserver(rescale).observe(picture);

  const modes = correction ? [["look", "", "", "Look"], ["belongs", "+", "good", "Belongs"], ["does not", "−", "bad", "Does not"]] : [];
  const buttons = modes.map(([name, sign, kind, text]) =>
    el("button", { type: "button", "data-mode": name, "aria-pressed": name === mode, onclick: () => setMode(name) }, sign ? el("span", { class: `sign ${kind}`, "aria-hidden": "true" }, sign) : null, text));
  function setMode(name) {
    mode = name;
    picture.classList.toggle("marking", mode !== "look");
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.mode === mode);
    if (correction) correction.say(mode);
  }
  const layer = (text, group, on) => el("button", {
    type: "button", "aria-pressed": on, onclick: (event) => {
      on = !on;
      event.currentTarget.setAttribute("aria-pressed", on);
      for (const each of group) each.setAttribute("visibility", on ? "visible" : "hidden");
      if (on) rescale();
    },
  }, text);
  doors.picture().then((address) => photo.setAttribute("href", address), (error) => {
    panel.before(el("p", { class: "alert", role: "alert" }, `No picture: ${error.message}`));
  });
  const panel = el("section", { class: "panel", "aria-label": "Picture" },
    el("div", { class: "tools" },
      modes.length ? el("div", { class: "group", role: "group", "aria-label": "What a click does" }, ...buttons) : null,
      el("div", { class: "group", role: "group", "aria-label": "Layers" },
        layer("Outlines", [regions], true), layer("Numbers", [numbers], true),
        shown.record.prompted.instances.length ? layer("Prompts", [prompts], false) : null)),
    el("div", { class: "stage" }, picture),
    el("div", { class: "under" }, scale, readout, spoken, el("div", { class: "group", role: "group", "aria-label": "Zoom" },
      el("button", { type: "button", "aria-label": "Zoom out", onclick: () => zoom(1 / 1.5) }, "−"),
      el("button", { type: "button", "aria-label": "Zoom in", onclick: () => zoom(1.5) }, "+"),
      el("button", { type: "button", "aria-label": "Show all of the picture", onclick: () => zoom(1e-9) }, "⤢"))),
    correction ? correction.panel : null);
  return panel;
}

// Box and points that the prompter gave to the segmenter.
function drawPrompt(group, given) {
  if (given.box) {
    const [x1, y1, x2, y2] = given.box;
    group.append(shape("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1, class: "prompt" }));
  }
  for (const [cx, cy] of given.positive || []) group.append(shape("circle", { cx, cy, class: "prompt-dot" }));
  for (const [cx, cy] of given.negative || []) group.append(shape("circle", { cx, cy, class: "prompt-dot not" }));
}

function correctionOf(shown, selection, marks, doors) {
  const hints = {
    look: `Choose “Belongs” or “Does not”, then click on the picture. ${shown.would_use.segmenter} draws a new result; this one stays.`,
    belongs: "Click on what belongs to a region, or is one. Right-click, or hold Alt, for what does not.",
    "does not": "Click on what a region should leave out.",
  };
  const hint = el("p", { class: "hint" }, hints.look);
  const words = el("input", { type: "text", maxlength: 2000, placeholder: "or in words: only the white ones", "aria-label": "Correct in words", oninput: refresh, onkeydown: (event) => event.key === "Enter" && go.click() });
  const go = el("button", { type: "button", class: "primary", onclick: () => refine({ positive: marks.of(true), negative: marks.of(false), instruction: words.value.trim() }) }, "Refine");
  const stop = el("button", { type: "button", hidden: true, onclick: () => running && running.abort() }, "Stop");
  const undo = el("button", { type: "button", onclick: () => marks.undo() }, "Undo");
  const clear = el("button", { type: "button", onclick: () => marks.clear() }, "Clear");
  const status = el("p", { class: "status", role: "status" });
  let running = null;

  function refresh() {
    const good = marks.of(true).length, bad = marks.of(false).length;
    undo.hidden = clear.hidden = good + bad === 0;
    go.disabled = running !== null || (good + bad === 0 && !words.value.trim());
    stop.hidden = running === null;
    if (running === null) status.textContent = good + bad ? `${counted(good, "point")} that belong${good === 1 ? "s" : ""}, ${bad} that ${bad === 1 ? "does" : "do"} not` : "";
    status.classList.remove("error");
  }
  async function refine(asked) {
    running = new AbortController();
    refresh();
    status.textContent = "Sending …";
    try {
      const made = await doors.refine(asked, (text) => { status.textContent = `${text} …`; }, running.signal);
      running = null;
      doors.open(made);
    } catch (error) {
      const stopped = error.name === "AbortError";
      running = null;
      refresh();
      status.textContent = stopped ? "Stopped; nothing was changed." : error.message;
      status.classList.toggle("error", !stopped);
    }
  }
  // No form: hosts of the MCP App put it into frames in which forms are not submitted.
  const panel = el("div", { class: "correct", role: "group", "aria-label": "Correct this result" }, hint, el("div", { class: "row" }, el("div", { class: "words" }, words), undo, clear, go, stop), status,
  el("details", {}, el("summary", {}, "With the keyboard"),
    el("p", { class: "hint" }, "In the picture: ", key("←"), key("↑"), key("→"), key("↓"), " move a cross (", key("Shift"), " by one pixel), ", key("p"), " marks what belongs, ", key("n"), " what does not, ", key("Enter"), " does what a click does, ", key("Backspace"), " undoes, ", key("+"), key("−"), key("0"), " zoom, ", key("Esc"), " puts the cross away.")));
  marks.watchers.push(refresh);
  refresh();
  return { panel, refine, say: (mode) => { hint.textContent = hints[mode]; } };
}

function panelOf(doors, name, title, ...inside) {
  const head = el("h3", {}, title), body = el("div", { class: "inside" }, ...inside);
  return doors.compact ? el("details", { class: "panel", "aria-label": name }, el("summary", {}, head), body)
    : el("section", { class: "panel", "aria-label": name }, head, body);
}

const key = (text) => el("kbd", {}, text);

function tableOf(shown, selection, correction) {
  const record = shown.record, regions = record.regions;
  const area = unitOf(record.unit_area), length = unitOf(record.unit_length);
  const columns = [
    { name: "#", of: (r) => r.id },
    { name: "Label", text: true, of: (r) => r.label, missing: regions.every((r) => !r.label) },
    { name: `Area, ${area}`, of: (r) => r.area, pm: (r) => r.area_pm },
    { name: `Perimeter, ${length}`, of: (r) => r.perimeter, pm: (r) => r.perimeter_pm },
    { name: "Score", of: (r) => r.score, show: (r) => (r.score === null ? "" : r.score.toFixed(2)), missing: regions.every((r) => r.score === null) },
    { name: "Probability", of: (r) => r.probability ?? -1, show: (r) => (r.probability == null ? "" : r.probability.toFixed(2) + (r.unsure ? " unsure" : "")), missing: regions.every((r) => r.probability == null) },
    { name: record.located ? "Centre, lon lat" : "Centre, px", of: (r) => r.centroid[0], show: (r) => r.centroid.map((v) => v.toFixed(record.located ? 6 : 1)).join(" ") },
  ].filter((column) => !column.missing);
  const body = el("tbody");
  const rows = new Map();
  for (const region of regions) {
    const pick = el("button", { type: "button", class: "pick", "aria-pressed": "false", "aria-label": `Region ${region.id}`, onfocus: () => selection.point(region.id), onblur: () => selection.point(0) },
      el("span", { class: `swatch ${colourOf(region.id)}`, "aria-hidden": "true" }), String(region.id));
    const cells = columns.map((column) => cellOf(column, region));
    cells[0].replaceChildren(pick);
    const row = el("tr", {
      "data-id": region.id, onpointerenter: () => selection.point(region.id), onpointerleave: () => selection.point(0),
      onclick: () => { selection.toggle(region.id); selection.tell({ bring: region.id }); },
    }, ...cells);
    rows.set(region.id, row);
    body.append(row);
  }
  function cellOf(column, region) {
    if (column.show) return el("td", {}, column.show(region));
    if (column.text) return el("td", { class: "text" }, column.of(region));
    if (!column.pm) return el("td", { class: "id" });
    return el("td", {}, amount(column.of(region), column.pm(region)), el("span", { class: "pm" }, ` ± ${amount(column.pm(region), column.pm(region))}`));
  }
  let sorted = { column: columns[0], down: false };
  const heads = columns.map((column) => el("th", { scope: "col", class: column.text || column.name === "#" ? "text" : "" },
    el("button", { type: "button", onclick: () => sort(column) }, column.name)));
  function sort(column) {
    sorted = { column, down: sorted.column === column ? !sorted.down : !column.text && column.name !== "#" };
    const value = sorted.column.of;
    const order = [...regions].sort((a, b) => (value(a) > value(b) ? 1 : value(a) < value(b) ? -1 : a.id - b.id));
    if (sorted.down) order.reverse();
    body.replaceChildren(...order.map((region) => rows.get(region.id)));
    tellSort();
  }
  function tellSort() {
    for (const [index, head] of heads.entries()) {
      const on = columns[index] === sorted.column;
      head.firstChild.textContent = columns[index].name + (on ? (sorted.down ? " ↓" : " ↑") : "");
      if (on) head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }
  tellSort();

  const picked = el("span", { class: "quiet" });
  const act = (text, what) => correction && el("button", { type: "button", onclick: () => correction.refine({ [what]: [...selection.chosen] }) }, text);
  const bar = el("div", { class: "chosen-bar row", hidden: true }, picked, act("Keep only these", "keep"), act("Drop these", "drop"),
    el("button", { type: "button", onclick: () => selection.clear() }, "Choose none"));
  selection.watchers.push((how) => {
    for (const [id, row] of rows) {
      const chosen = selection.chosen.has(id);
      row.classList.toggle("hot", id === selection.hot);
      row.classList.toggle("chosen", chosen);
      row.querySelector(".pick").setAttribute("aria-pressed", chosen);
    }
    const target = how.scroll && rows.get(how.scroll === true ? selection.hot : how.scroll);
    if (target) showRow(target);
    bar.hidden = selection.chosen.size === 0;
    picked.textContent = `${selection.chosen.size} chosen`;
  });
  const scroll = el("div", { class: "scroll", role: "region", "aria-label": "Table of regions", tabindex: 0 }, el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body));
  // Within the table only: the page itself must not jump while the pointer is over the picture.
  function showRow(row) {
    const head = heads[0].offsetHeight, top = row.offsetTop - head, bottom = row.offsetTop + row.offsetHeight;
    if (scroll.scrollTop > top) scroll.scrollTop = top;
    else if (scroll.scrollTop + scroll.clientHeight < bottom) scroll.scrollTop = bottom - scroll.clientHeight;
  }
  const large = record.unit_area === "m2" && record.total_area >= 1e7;
  const total = large ? measure(record.total_area / 1e6, record.total_area_pm / 1e6, "km2") : measure(record.total_area, record.total_area_pm, record.unit_area);
  const range = record.count_high == null ? "" : ` (90 %: ${record.count_low} to ${record.count_high} in truth)`;
  const sum = regions.length
    ? el("p", { class: "sum" }, el("b", {}, total), " in all", range)
    : el("p", { class: "sum" }, NOTHING[record.status] || "Nothing was found. That is an answer too.", range);
  return el("section", { class: "panel", "aria-label": "Regions" }, el("h3", {}, counted(regions.length, "region")), sum,
    ...(regions.length ? [scroll, bar] : []), el("p", { class: "method" }, record.method));
}

const NOTHING = {
  partly: "Nothing was found at this scale; small objects cannot be seen at it.",
  not_understood: "The model does not know what was asked for. Nothing is said about whether it is there.",
};

function wordsOf(record, doors) {
  const said = record.prompted;
  return panelOf(doors, "Thinking", "Thinking",
    el("p", { class: "note" }, `What ${record.prompter.name} wrote: a model's words, to be taken as such. Nothing here was measured.`),
    said.thinking ? el("p", { class: "words-of" }, said.thinking) : el("p", { class: "note" }, "It gave no reasons."),
    said.raw ? el("details", {}, el("summary", {}, "The whole answer"), el("p", { class: "words-of mono" }, said.raw)) : null,
    record.warnings.length ? el("div", {}, el("h3", {}, "Remarks"), el("ul", { class: "plain-list" }, ...record.warnings.map((w) => el("li", {}, w)))) : null);
}

// A result is shown below its first parent; another parent is named next to it.
function lineageOf(shown, doors) {
  const own = new Map(shown.lineage.map((node) => [node.id, node]));
  const under = (id) => shown.lineage.filter((node) => node.parents.find((parent) => own.has(parent)) === id);
  const roots = shown.lineage.filter((node) => !node.parents.some((parent) => own.has(parent)));
  function branch(node, above) {
    const said = above && node.query.startsWith(above.query) ? node.query.slice(above.query.length).replace(/^; /, "") : node.query;
    const beside = node.parents.filter((parent) => own.has(parent)).slice(1).map((parent) => `“${own.get(parent).query}”`);
    const text = `${node.operation}${said ? `: ${said}` : ""}`;
    const below = under(node.id);
    return el("li", {},
      el("a", { href: doors.href(node.id), "aria-current": node.id === shown.record.id ? "true" : null, onclick: (event) => go(event, node.id) },
        text, el("span", { class: "quiet" }, `${beside.length ? ` with ${beside.join(", ")}` : ""} · ${counted(node.count, "region")}`)),
      below.length ? el("ul", {}, ...below.map((child) => branch(child, node))) : null);
  }
  function go(event, id) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    doors.open(id);
  }
  return panelOf(doors, "Lineage", "Lineage", el("ul", { class: "tree" }, ...roots.map((node) => branch(node, null))));
}

function recordOf(shown, doors) {
  const record = shown.record, scene = record.scene;
  const model = (m) => (m.digest ? `${m.name} (${m.digest.slice(0, 12)})` : m.name);
  const facts = [
    ["Result", record.id], ["Image", `${scene.name}, ${scene.width} × ${scene.height} px`],
    ["Looked at", `${scene.window[2]} × ${scene.window[3]} px from ${scene.window[0]}, ${scene.window[1]}, as ${scene.view_size.join(" × ")} px, bands ${scene.bands.join(", ")}`],
    ["Prompter", model(record.prompter)], ["Segmenter", model(record.segmenter)],
    ["Time", Object.entries(record.seconds).map(([step, s]) => `${step} ${s.toFixed(2)} s`).join(", ")],
    ["Version", record.code_version],
  ];
  const status = el("p", { class: "status", role: "status" });
  const titles = { "mask.tif": "Mask", "regions.geojson": "Polygons", "preview.png": "Picture", "record.json": "Record" };
  const files = shown.files.map((file) => el("button", {
    type: "button", onclick: async () => {
      status.textContent = "";
      try {
        await doors.download(file.name);
      } catch (error) {
        status.textContent = error.message;
      }
    },
  }, titles[file.name], el("small", {}, `${file.name}, ${bytes(file.bytes)}`)));
  return panelOf(doors, "Files and record", doors.download ? "Downloads and record" : "Record",
    ...(doors.download ? [el("div", { class: "downloads" }, ...files), status] : []),
    el("dl", {}, ...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])));
}
