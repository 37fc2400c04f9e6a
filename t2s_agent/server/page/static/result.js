// Shows one result: the picture with its regions, their measures, the model's text, the lineage, and corrections.
// The page and the MCP App share it. Text from models and files becomes text nodes, never HTML.
"use strict";

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

const colourOf = (id) => `c${(id - 1) % COLOURS.length}`;
const unitOf = (unit) => unit.replace("2", "²");

// Formats a value with as many decimals as its plus/minus allows.
function amount(value, plusMinus) {
  const digits = plusMinus > 0 ? clamp(1 - Math.floor(Math.log10(plusMinus)), 0, 15) : 2;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
const measure = (value, plusMinus, unit) => `${amount(value, plusMinus)} ± ${amount(plusMinus, plusMinus)} ${unitOf(unit)}`;
const counted = (n, one) => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;
// Formats an area briefly, for lists: in square kilometres from 1 km2 on.
const roughly = (value, unit) => (unit === "m2" && value >= 1e6 ? `${Number((value / 1e6).toPrecision(3)).toLocaleString("en")} km²` : `${amount(value, value / 100)} ${unitOf(unit)}`);
// What made a result, in words for a person; the record has the exact ones.
const madeBy = (operation) => (operation === "segment" ? "question" : operation.startsWith("refine") ? "correction" : operation);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const bytes = (n) => (n < 1024 ? `${n} B` : n < 1048576 ? `${(n / 1024).toFixed(0)} KB` : `${(n / 1048576).toFixed(1)} MB`);
const when = (utc) => (utc ? new Date(utc).toLocaleString() : "");

// Interpolates longitude and latitude of a point of the scene from the grid; null outside the Earth.
function lonlatAt(shown, x, y) {
  const grid = shown.grid;
  if (!grid) return null;
  const { width, height } = shown.record.scene;
  const last = grid.length - 1;
  const gx = (x / width) * last, gy = (y / height) * last; // beside the scene the outermost cells go on
  const column = clamp(Math.floor(gx), 0, last - 1), row = clamp(Math.floor(gy), 0, last - 1);
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

const EARTH = 6378137; // metres, of Web Mercator
// The places of a base map: pixels of the scene to Web Mercator, and back by Newton's method.
function baseOf(shown) {
  if (!shown.grid || shown.grid.flat().some((place) => place === null || Math.abs(place[1]) > 80)) return null;
  const middle = lonlatAt(shown, shown.record.scene.width / 2, shown.record.scene.height / 2)[0];
  function toMercator(x, y) {
    const [lon, lat] = lonlatAt(shown, x, y);
    const near = lon + 360 * Math.round((middle - lon) / 360);
    return [(EARTH * near * Math.PI) / 180, EARTH * Math.log(Math.tan(Math.PI / 4 + (clamp(lat, -85, 85) * Math.PI) / 360))];
  }
  function fromMercator(east, north) {
    let x = shown.record.scene.width / 2, y = shown.record.scene.height / 2;
    for (let i = 0; i < 8; i++) {
      const [e, n] = toMercator(x, y), [ex, nx] = toMercator(x + 1, y), [ey, ny] = toMercator(x, y + 1);
      const [a, b, c, d] = [ex - e, ey - e, nx - n, ny - n], size = a * d - b * c;
      const [de, dn] = [east - e, north - n];
      x += (d * de - b * dn) / size;
      y += (a * dn - c * de) / size;
    }
    return [x, y];
  }
  return { url: shown.base.url, toMercator, fromMercator };
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

// The user's corrections: points in pixels of the scene.
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

// Fills `root` with a result. `doors` are the functions and options of the page around it, besides those that `Viewer` names:
//   href(id); open(id); rows({sort, down, from, limit}) -> Promise of {rows, known}; at(x, y) -> Promise of a row, or null;
//   refine(correction, progress, signal) -> Promise of an id, or null; download(name) -> Promise, or null;
//   ask(query, box, progress, signal) -> Promise of an id; rename(name) and remove() -> Promise: all three may be missing.
//   `compact`: less important sections are collapsed.
function showResult(root, shown, doors) {
  root.viewer?.close();
  const selection = new Selection(), marks = new Marks();
  const record = shown.record;
  const correction = doors.refine ? correctionOf(shown, selection, marks, doors) : null;
  const picture = pictureOf(shown, selection, marks, doors, correction);
  root.viewer = picture.viewer;
  root.replaceChildren(
    titleOf(shown, doors),
    ...[shown.remark, ...shown.alerts].filter(Boolean).map((text) => el("p", { class: "alert", role: "alert" }, text)),
    el("div", { class: "layout" },
      el("div", { class: "stack left" }, picture.panel),
      el("div", { class: "stack" }, tableOf(shown, selection, correction, doors, picture), wordsOf(shown, doors), lineageOf(shown, doors), recordOf(shown, doors))),
  );
}

// Fills `root` with an image about which nothing was asked yet.
function showImage(root, image, doors) {
  root.viewer?.close();
  const shown = { record: { scene: { ...image, window: [0, 0, image.width, image.height] }, prompted: { instances: [] } }, count: 0, ...image };
  const picture = pictureOf(shown, new Selection(), new Marks(), { ...doors, outlines: async () => ({ type: "FeatureCollection", features: [], all: true }) }, null);
  root.viewer = picture.viewer;
  root.replaceChildren(
    el("div", { class: "title" }, el("h2", {}, image.name), el("p", {}, `${image.width} × ${image.height} px · nothing was asked about this image here`)),
    el("div", { class: "stack" }, picture.panel));
}

const LONG = 240; // characters of a question that are shown at first
function titleOf(shown, doors) {
  const record = shown.record, text = shown.name || record.query, heading = el("h2", { class: text.length > LONG ? "long" : null }, text);
  const whole = text.length > LONG ? el("button", { type: "button", class: "whole", "aria-expanded": "false", onclick: () => {
    const open = !heading.classList.toggle("long");
    whole.setAttribute("aria-expanded", open);
    whole.textContent = open ? "Show less of the question" : "Show all of the question";
  } }, "Show all of the question") : null;
  const where = [shown.name ? `“${record.query}”` : null, record.scene.name, record.scene.crs || "no coordinate system", shown.gsd_m ? `${shown.gsd_m.toPrecision(3)} m a pixel` : null, madeBy(record.operation), when(record.created_utc)];
  const about = el("p", {}, where.filter(Boolean).join(" · "));
  if (!doors.rename) return el("div", { class: "title" }, heading, ...(whole ? [whole] : []), about);
  const status = el("p", { class: "status error", role: "status" });
  const field = el("input", { type: "text", maxlength: 120, "aria-label": "Name of this result", placeholder: record.query, value: shown.name || null, onkeydown: (event) => { if (event.key === "Enter") keep(); if (event.key === "Escape") edit(false); } });
  const editor = el("div", { class: "row naming", hidden: true }, field, el("button", { type: "button", class: "primary", onclick: () => keep() }, "Keep"), el("button", { type: "button", onclick: () => edit(false) }, "Cancel"));
  const open = el("button", { type: "button", onclick: () => edit(true) }, "Rename");
  const remove = el("button", { type: "button", onclick: () => attempt(doors.remove) }, "Delete");
  const acts = el("div", { class: "row acts" }, open, remove);
  function edit(on) {
    editor.hidden = !on;
    acts.hidden = heading.hidden = on;
    if (whole) whole.hidden = on;
    if (on) field.select(); else open.focus();
  }
  const keep = () => attempt(() => doors.rename(field.value.trim()));
  async function attempt(act) {
    status.textContent = "";
    try {
      await act();
    } catch (error) {
      status.textContent = error.message;
    }
  }
  return el("div", { class: "title" }, heading, ...(whole ? [whole] : []), editor, acts, about, status);
}

function pictureOf(shown, selection, marks, doors, correction) {
  const record = shown.record, scene = record.scene, { width, height } = scene;
  const [left, top, wide, high] = scene.window, extent = [left, top, left + wide, top + high];
  const stage = el("div", { class: "stage", tabindex: 0, role: "application", "aria-label": `Picture with ${counted(shown.count, "region")}. Arrow keys move a cross.` });
  stage.style.aspectRatio = String(clamp(width / height, 0.8, 2.4));
  const facts = el("p", { class: "facts", role: "status" });
  const readout = el("span", {}), spoken = el("span", { class: "skip", "aria-live": "polite" }), problems = el("div", {});
  const bar = el("i"), scale = el("span", { class: "scale", hidden: !shown.gsd_m }, bar, el("span"));
  const said = new Set();
  const problem = (error) => {
    if (!said.has(error.message)) problems.append(el("p", { class: "alert", role: "alert" }, `Not all of the picture can be shown: ${error.message}`));
    said.add(error.message);
  };
  const base = shown.base && doors.sceneTile ? baseOf(shown) : null; // the MCP App loads from nowhere
  const viewer = new Viewer(stage, { width, height, levels: shown.levels, tile: shown.tile, extent, base }, { ...doors, problem });
  const toScene = ([x, y]) => [left + (x * wide) / scene.view_size[0], top + (y * high) / scene.view_size[1]];
  viewer.setPrompts(record.prompted.instances.map((given) => ({
    box: given.box && [...toScene(given.box.slice(0, 2)), ...toScene(given.box.slice(2))], positive: given.positive?.map(toScene), negative: given.negative?.map(toScene),
  })));
  if (left > 0 || top > 0 || wide < width || high < height) viewer.setFrame(extent);
  let mode = "look";

  viewer.on("view", () => {
    if (!shown.gsd_m) return;
    const most = shown.gsd_m * 120 * viewer.resolution, power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].find((step) => step * power <= most) * power;
    bar.style.width = `${length / shown.gsd_m / viewer.resolution}px`;
    bar.nextSibling.textContent = length >= 1000 ? `${length / 1000} km` : `${Number(length.toPrecision(1))} m`;
  });
  function tellPlace(x, y) {
    const place = viewer.inside([x, y]) ? lonlatAt(shown, x, y) : null;
    readout.textContent = (place ? `${place.map((degrees) => degrees.toFixed(shown.decimals)).join(", ")} lon, lat · ` : "") + `pixel ${Math.floor(x)}, ${Math.floor(y)}`;
  }
  viewer.on("move", tellPlace);
  viewer.on("hover", (id) => selection.point(id, id > 0));
  viewer.on("click", ({ place, other, id, sure }) => act(place, mode === "belongs" && !other, id, sure).catch(problem));
  async function act(place, good, id, sure = true) {
    if (mode === "look") {
      if (id) selection.toggle(id, true);
      const row = id || !sure ? await doors.at(...place) : null; // among counts, only the server knows what is there
      if (!id && row) selection.toggle(row.id, true);
      facts.textContent = row ? factsOfRow(row, record) : "";
    } else if (mode !== "part" && viewer.inside(place)) marks.add(...place, good);
  }

  stage.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 1 : viewer.resolution * 16;
    const steps = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const spot = viewer.spot;
    if (steps[event.key]) {
      const [x1, y1, x2, y2] = viewer.seen(), from = spot || [(x1 + x2) / 2, (y1 + y2) / 2];
      const to = [clamp(from[0] + steps[event.key][0], 0, width), clamp(from[1] + steps[event.key][1], 0, height)];
      viewer.setSpot(to);
      tellPlace(...to);
      selection.point(viewer.regionAt(to), true);
      spoken.textContent = selection.hot ? `region ${selection.hot}` : readout.textContent;
    } else if (event.key === "Enter" && spot) act(spot, mode !== "does not", selection.hot, !viewer.clustered).catch(problem);
    else if (correction && shown.corrections.marks && "pn".includes(event.key) && spot) marks.add(...spot, event.key === "p");
    else if (asking && event.key === "b" && spot) asking.corner(spot);
    else if (event.key === "+" || event.key === "=") viewer.zoom(2);
    else if (event.key === "-") viewer.zoom(1 / 2);
    else if (event.key === "0") viewer.home();
    else if (event.key === "Backspace") marks.undo();
    else if (event.key === "Escape") {
      viewer.setSpot(null);
      selection.point(0);
    } else return;
    event.preventDefault();
  });

  selection.watchers.push((how) => {
    viewer.select(selection.hot, selection.chosen);
    if (how.bring) viewer.bring(how.bring);
    if (how.row) facts.textContent = factsOfRow(how.row, record);
  });
  marks.watchers.push(() => viewer.setMarks(marks.points));

  const asking = doors.ask ? askingOf(viewer, doors, () => setMode("part")) : null;
  if (asking) viewer.on("box", (box) => asking.take(box));
  const modes = [["look", "", "", "Look"], ...(correction && shown.corrections.marks ? [["belongs", "+", "good", "Belongs"], ["does not", "−", "bad", "Does not"]] : []), ...(asking ? [["part", "▢", "", "Ask about a part"]] : [])];
  const buttons = modes.length < 2 ? [] : modes.map(([name, sign, kind, text]) =>
    el("button", { type: "button", "data-mode": name, "aria-pressed": name === mode, onclick: () => setMode(name) }, sign ? el("span", { class: `sign ${kind}`, "aria-hidden": "true" }, sign) : null, text));
  function setMode(name) {
    mode = name;
    viewer.setMode(mode === "part" ? "box" : mode);
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.mode === mode);
    if (correction) {
      correction.say(mode);
      correction.panel.hidden = mode === "part";
    }
    if (asking) asking.panel.hidden = mode !== "part";
  }
  const layer = (text, names, on, first = null) => el("button", {
    type: "button", "aria-pressed": on, onclick: (event) => {
      on = !on;
      event.currentTarget.setAttribute("aria-pressed", on);
      viewer.setLayer(names, on);
      if (on && first) first().catch(problem);
    },
  }, text);
  const legend = el("p", { class: "legend", hidden: true });
  const layers = shown.count || record.prompted.instances.length ? [
    layer("Outlines", ["outlines", "mask"], true), layer("Numbers", ["numbers"], true),
    record.prompted.instances.length ? layer("Prompts", ["prompts"], false) : null,
  ] : [];
  if (shown.windows && doors.windows) layers.push(layer("Windows", ["windows", "unseen"], false, () => showWindows(viewer, doors, legend)));
  if (base) layers.push(layer("Base map", ["base"], true));
  const panel = el("section", { class: "panel", "aria-label": "Picture" },
    el("div", { class: "tools" },
      buttons.length ? el("div", { class: "group", role: "group", "aria-label": "What a click does" }, ...buttons) : null,
      layers.length ? el("div", { class: "group", role: "group", "aria-label": "Layers" }, ...layers) : null),
    problems, stage,
    el("div", { class: "under" }, scale, readout, spoken, base ? el("span", { class: "attribution" }, shown.base.attribution) : null, el("div", { class: "group", role: "group", "aria-label": "Zoom" },
      el("button", { type: "button", "aria-label": "Zoom out", onclick: () => viewer.zoom(1 / 2) }, "−"),
      el("button", { type: "button", "aria-label": "Zoom in", onclick: () => viewer.zoom(2) }, "+"),
      el("button", { type: "button", "aria-label": "Show all that was asked about", onclick: () => viewer.home() }, "⤢"))),
    legend, facts, correction ? correction.panel : null, asking ? asking.panel : null);
  if (asking) asking.panel.hidden = true;
  if (!record.query && asking) setMode("part");
  return { panel, viewer };
}

function factsOfRow(row, record) {
  const centre = row.centroid.map((v) => v.toFixed(record.located ? 6 : 1)).join(", ");
  return [`Region ${row.id}${row.label ? ` ${row.label}` : ""}`, `area ${measure(row.area, row.area_pm, record.unit_area)}`, row.perimeter === null ? null : `perimeter ${measure(row.perimeter, row.perimeter_pm, record.unit_length)}`,
    row.score === null ? null : `score ${row.score.toFixed(2)}`, row.probability === null ? null : `probability ${row.probability.toFixed(2)}${row.unsure ? " (unsure)" : ""}`, row.seams.length ? `unsure at edges of windows: ${row.seams.join("; ")}` : null, `centre ${centre}`].filter(Boolean).join(" · ");
}

const STATUS_WORDS = { found: "with regions", empty: "without", failed: "failed", not_reached: "not looked at" };
async function showWindows(viewer, doors, legend) {
  if (!legend.hidden) return;
  const collection = await doors.windows(), counts = {};
  for (const { properties } of collection.features) counts[properties.status] = (counts[properties.status] || 0) + 1;
  viewer.setWindows(collection);
  legend.replaceChildren("Windows: ", ...Object.entries(STATUS_WORDS).filter(([status]) => counts[status]).flatMap(([status, words]) =>
    [el("span", { class: `key key-${status}` }), `${counts[status]} ${words} `]));
  legend.hidden = false;
}

const STOPPED = "Stopped. No result was stored. In a large image, the same question goes on where it ended.";

// A question about a part of the scene: a box is drawn, or its two corners are set with the keyboard.
function askingOf(viewer, doors, begin) {
  let box = null, corner = null, running = null;
  const about = el("p", { class: "hint" }), status = el("p", { class: "status", role: "status" });
  const words = el("input", { type: "text", maxlength: 2000, placeholder: "Where are the storage tanks?", "aria-label": "Question", oninput: refresh, onkeydown: (event) => event.key === "Enter" && go.click() });
  const go = el("button", { type: "button", class: "primary", onclick: () => ask() }, "Ask");
  const all = el("button", { type: "button", onclick: () => take(null) }, "Whole image instead");
  const stop = el("button", { type: "button", hidden: true, onclick: () => running && running.abort() }, "Stop");
  function take(given) {
    box = given;
    viewer.setDraft(box);
    refresh();
  }
  function refresh() {
    about.textContent = box ? `Asks about ${box[2] - box[0]} × ${box[3] - box[1]} px from ${box[0]}, ${box[1]}.` : "Draw a box on the picture, or ask about the whole image.";
    all.hidden = !box;
    stop.hidden = running === null;
    go.disabled = running !== null || !words.value.trim();
  }
  async function ask() {
    running = new AbortController();
    status.classList.remove("error");
    refresh();
    try {
      const id = await doors.ask(words.value.trim(), box, (text) => { status.textContent = `${text} …`; }, running.signal);
      doors.open(id);
    } catch (error) {
      const stopped = error.name === "AbortError";
      status.textContent = stopped ? STOPPED : error.message;
      status.classList.toggle("error", !stopped);
    }
    running = null;
    refresh();
  }
  refresh();
  return {
    panel: el("div", { class: "correct", role: "group", "aria-label": "Ask about a part" }, about, el("div", { class: "row" }, el("div", { class: "words" }, words), all, go, stop), status,
      el("p", { class: "hint" }, "With the keyboard: arrows move a cross, ", key("b"), " sets one corner and then the other.")),
    take,
    corner: ([x, y]) => {
      begin();
      if (corner) take(viewer.clipped([Math.min(corner[0], x), Math.min(corner[1], y), Math.max(corner[0], x), Math.max(corner[1], y)]));
      corner = corner ? null : [x, y];
      if (corner) about.textContent = "One corner is set. Move the cross and press b again.";
    },
  };
}

function correctionOf(shown, selection, marks, doors) {
  const hints = {
    look: !shown.corrections.marks ? "Choose regions in the table or on the picture to keep or drop them, or write which ones." : `Choose “Belongs” or “Does not”, then click on the picture. ${shown.would_use.segmenter} draws a new result; this one stays.`,
    belongs: "Click on what belongs to a region, or is one. Right-click, or hold Alt, for what does not.",
    "does not": "Click on what a region should leave out.",
  };
  const hint = el("p", { class: "hint" }, hints.look);
  const sizes = shown.corrections.words === "sizes";
  const words = el("input", { type: "text", maxlength: 2000, placeholder: sizes ? "Or: only the largest" : "Or: only the white ones", "aria-label": sizes ? "Correct by size or place" : "Correct in words", oninput: refresh, onkeydown: (event) => event.key === "Enter" && go.click() });
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
  shown.corrections.why ? el("p", { class: "hint" }, shown.corrections.why) : null,
  el("details", {}, el("summary", {}, "With the keyboard"),
    el("p", { class: "hint" }, "In the picture: ", key("←"), key("↑"), key("→"), key("↓"), " move a cross (", key("Shift"), " by one pixel), ", key("p"), " marks what belongs, ", key("n"), " what does not, ", key("Enter"), " does what a click does, ", key("Backspace"), " undoes, ", key("+"), key("−"), key("0"), " zoom, ", key("Esc"), " puts the cross away.")));
  marks.watchers.push(refresh);
  refresh();
  return { panel, refine, say: (mode) => { hint.textContent = hints[mode] || ""; } };
}

function panelOf(doors, name, title, ...inside) {
  const head = el("h3", {}, title), body = el("div", { class: "inside" }, ...inside);
  return doors.compact ? el("details", { class: "panel", "aria-label": name }, el("summary", {}, head), body)
    : el("section", { class: "panel", "aria-label": name }, head, body);
}

const key = (text) => el("kbd", {}, text);

const ROWS = 200; // fetched at a time
const isUnsure = (row) => row.unsure || row.seams.length > 0;

function tableOf(shown, selection, correction, doors) {
  const record = shown.record;
  const area = unitOf(record.unit_area), length = unitOf(record.unit_length);
  const all = [
    { name: "#", sort: "id" },
    { name: "Label", sort: "label", text: true, of: (r) => r.label },
    { name: `Area, ${area}`, sort: "area", of: (r) => r.area, pm: (r) => r.area_pm },
    { name: "Probability", sort: "probability", show: (r) => (r.probability === null ? "" : r.probability.toFixed(2)) },
    { name: `Perimeter, ${length}`, sort: "perimeter", of: (r) => r.perimeter, pm: (r) => r.perimeter_pm },
    { name: "Score", sort: "score", show: (r) => (r.score === null ? "" : r.score.toFixed(2)) },
    { name: record.located ? "Centre, lon lat" : "Centre, px", sort: "x", show: (r) => r.centroid.map((v) => v.toFixed(record.located ? 6 : 1)).join(" ") },
  ];
  const body = el("tbody"), head = el("tr"), status = el("p", { class: "status", role: "status" });
  const rows = new Map();
  let columns = all, sorted = { sort: "id", down: false }, asking = 0;
  const more = el("button", { type: "button", class: "more", hidden: true, onclick: () => fetchRows(rows.size) });
  async function fetchRows(from) {
    const turn = ++asking;
    if (!head.firstChild && shown.count > 5000) status.textContent = `Reading ${counted(shown.count, "region")} …`;
    try {
      const got = await doors.rows({ ...sorted, from, limit: ROWS });
      if (turn !== asking) return; // another order was asked for meanwhile
      if (!head.firstChild) drawHead(got.known);
      tellUnsure(got.unsure);
      if (from === 0) {
        rows.clear();
        body.replaceChildren();
      }
      for (const region of got.rows) body.append(rowOf(region));
      more.hidden = rows.size >= shown.count || got.rows.length === 0;
      more.textContent = `Show more (${rows.size.toLocaleString("en")} of ${shown.count.toLocaleString("en")})`;
      status.textContent = "";
      tellSort();
      selection.tell({});
    } catch (error) {
      status.textContent = error.message;
    }
  }
  function rowOf(region) {
    const pick = el("button", { type: "button", class: "pick", "aria-pressed": "false", "aria-label": `Region ${region.id}${isUnsure(region) ? ", unsure" : ""}`, onfocus: () => selection.point(region.id), onblur: () => selection.point(0) },
      el("span", { class: `swatch ${colourOf(region.id)}`, "aria-hidden": "true" }), String(region.id), isUnsure(region) ? el("span", { class: "unsure" }, "?") : null);
    const cells = columns.map((column) => cellOf(column, region));
    cells[0].replaceChildren(pick);
    const row = el("tr", {
      "data-id": region.id, onpointerenter: () => selection.point(region.id), onpointerleave: () => selection.point(0),
      onclick: () => { selection.toggle(region.id); selection.tell({ bring: region.box, row: region }); },
    }, ...cells);
    rows.set(region.id, row);
    return row;
  }
  function cellOf(column, region) {
    if (column.show) return el("td", {}, column.show(region));
    if (column.text) return el("td", { class: "text" }, column.of(region));
    if (!column.pm) return el("td", { class: "id" });
    if (column.of(region) === null) return el("td");
    return el("td", {}, amount(column.of(region), column.pm(region)), el("span", { class: "pm" }, ` ± ${amount(column.pm(region), column.pm(region))}`));
  }
  function drawHead(known) {
    columns = all.filter(({ sort }) => ["id", "area", "x"].includes(sort) || known.includes(sort));
    head.replaceChildren(...columns.map((column) => el("th", { scope: "col", class: column.text || column.name === "#" ? "text" : "" },
      el("button", { type: "button", onclick: () => sort(column) }, column.name))));
  }
  function sort(column) {
    sorted = { sort: column.sort, down: sorted.sort === column.sort ? !sorted.down : !column.text && column.sort !== "id" };
    fetchRows(0);
  }
  function tellSort() {
    for (const [index, cell] of [...head.children].entries()) {
      const on = columns[index].sort === sorted.sort;
      cell.firstChild.textContent = columns[index].name + (on ? (sorted.down ? " ↓" : " ↑") : "");
      if (on) cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
  }
  const unsure = el("p", { class: "sum row", hidden: true }), cut = record.calibration?.cut;
  function tellUnsure(count) {
    if (!unsure.hidden || !count || cut == null) return;
    unsure.hidden = false;
    unsure.append(el("span", {}, `${count.toLocaleString("en")} of ${counted(shown.count, "region")} ${count === 1 ? "is" : "are"} unsure`, el("span", { class: "unsure", "aria-hidden": "true" }, "?")));
    if (correction && count < shown.count) unsure.append(el("button", { type: "button", onclick: () => correction.refine({ min_probability: cut }) }, "Leave out the unsure ones"));
  }
  if (shown.count) fetchRows(0);

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
  const scroll = el("div", { class: "scroll", role: "region", "aria-label": "Table of regions", tabindex: 0 }, el("table", {}, el("thead", {}, head), body), more);
  // Within the table only: the page itself must not jump while the pointer is over the picture.
  function showRow(row) {
    const above = head.offsetHeight, top = row.offsetTop - above, bottom = row.offsetTop + row.offsetHeight;
    if (scroll.scrollTop > top) scroll.scrollTop = top;
    else if (scroll.scrollTop + scroll.clientHeight < bottom) scroll.scrollTop = bottom - scroll.clientHeight;
  }
  const large = record.unit_area === "m2" && record.total_area >= 1e7;
  const total = large ? measure(record.total_area / 1e6, record.total_area_pm / 1e6, "km2") : measure(record.total_area, record.total_area_pm, record.unit_area);
  const range = record.count_high == null ? "" : ` The true number is ${record.count_low === record.count_high ? record.count_low : `from ${record.count_low} to ${record.count_high}`} in 90 % of such answers.`;
  const sum = shown.count
    ? el("p", { class: "sum" }, el("b", {}, total), " in all.", range)
    : el("p", { class: "sum" }, NOTHING[record.status] || "Nothing was found.", range);
  const share = record.tiling?.share_not_looked_at || 0;
  if (share > 0) sum.append(el("br"), `${Number((100 * share).toPrecision(2))} % of the image was not looked at: “Windows” shows where.`);
  const rest = doors.rest && record.operation === "segment" && record.tiling && record.tiling.looked_at < record.tiling.windows ? [restOf(record.tiling, doors)] : [];
  return el("section", { class: "panel", "aria-label": "Regions" }, el("h3", {}, record.status === "not_understood" ? "Not understood" : counted(shown.count, "region")), sum,
    ...rest, ...(shown.count ? [unsure, scroll, status, bar] : []), record.status === "not_understood" ? null : el("p", { class: "method" }, record.method));
}

// The same question about the windows that were not looked at.
function restOf(tiling, doors) {
  const status = el("p", { class: "status", role: "status" }), left = tiling.windows - tiling.looked_at;
  let running = null;
  const stop = el("button", { type: "button", hidden: true, onclick: () => running.abort() }, "Stop");
  const go = el("button", { type: "button", onclick: async () => {
    running = new AbortController();
    go.disabled = true;
    stop.hidden = false;
    status.classList.remove("error");
    try {
      doors.open(await doors.rest((text) => { status.textContent = `${text} …`; }, running.signal));
    } catch (error) {
      const stopped = error.name === "AbortError";
      status.textContent = stopped ? STOPPED : error.message;
      status.classList.toggle("error", !stopped);
    }
    go.disabled = false;
    stop.hidden = true;
  } }, `Look at the rest (${counted(left, "window")})`);
  return el("div", { class: "sum" }, el("div", { class: "row" }, go, stop), status);
}

function windowsOf(tiling) {
  const size = `${tiling.looked_at} of ${tiling.windows} looked at, each ${tiling.tile} px wide, with an overlap of ${tiling.overlap} px${tiling.gsd_m ? `, at ${tiling.gsd_m.toPrecision(3)} m a pixel` : ""}`;
  return [size, tiling.failed ? `${tiling.failed} failed` : null, tiling.not_reached ? `${tiling.not_reached} not looked at` : null].filter(Boolean).join("; ");
}

const NOTHING = {
  partly: "Nothing was found in what was looked at.",
  not_understood: "The model does not know what was asked for. Nothing is said about whether it is there.",
};

function wordsOf(shown, doors) {
  const record = shown.record, said = record.prompted;
  return panelOf(doors, "Thinking", "Thinking",
    el("p", { class: "note" }, `These are the words of the model ${record.prompter.name}. They may be wrong, and nothing in them was measured.`),
    said.thinking ? el("p", { class: "words-of" }, said.thinking) : el("p", { class: "note" }, "It gave no reasons."),
    said.raw ? el("details", {}, el("summary", {}, "The whole answer"), el("p", { class: "words-of mono" }, said.raw)) : null,
    shown.remarks.length ? el("div", {}, el("h3", {}, "Remarks"), el("ul", { class: "plain-list" }, ...shown.remarks.map((w) => el("li", {}, w)))) : null);
}

// A result is shown below its first parent; another parent is named next to it.
function lineageOf(shown, doors) {
  const own = new Map(shown.lineage.map((node) => [node.id, node]));
  const under = (id) => shown.lineage.filter((node) => node.parents.find((parent) => own.has(parent)) === id);
  const roots = shown.lineage.filter((node) => !node.parents.some((parent) => own.has(parent)));
  function branch(node, above) {
    const said = above && node.query.startsWith(above.query) ? node.query.slice(above.query.length).replace(/^; /, "") : node.query;
    const beside = node.parents.filter((parent) => own.has(parent)).slice(1).map((parent) => `“${own.get(parent).query}”`);
    const text = `${madeBy(node.operation)}${said ? `: ${said}` : ""}`;
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
  return panelOf(doors, "Where it comes from", "Where it comes from", el("ul", { class: "tree" }, ...roots.map((node) => branch(node, null))));
}

function recordOf(shown, doors) {
  const record = shown.record, scene = record.scene;
  const model = (m) => (m.digest ? `${m.name} (${m.digest.slice(0, 12)})` : m.name);
  const facts = [
    ["Result", record.id], ["Image", `${scene.name}, ${scene.width} × ${scene.height} px`],
    ["Looked at", `${scene.window[2]} × ${scene.window[3]} px from ${scene.window[0]}, ${scene.window[1]}, as ${scene.view_size.join(" × ")} px, bands ${scene.bands.join(", ")}`],
    ...(record.tiling ? [["Windows", windowsOf(record.tiling)]] : []),
    ["Prompter", model(record.prompter)], ["Segmenter", model(record.segmenter)],
    ["Time", Object.entries(record.seconds).map(([step, s]) => `${step} ${s.toFixed(2)} s`).join(", ")],
    ["Version", record.code_version],
  ];
  const status = el("p", { class: "status", role: "status" });
  const titles = { "mask.tif": "Mask", "regions.geojson": "Polygons", "preview.png": "Picture", "record.json": "Record", "windows.geojson": "Windows" };
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
