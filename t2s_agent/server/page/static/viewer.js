// Shows a scene of any size with OpenLayers: its tiles, its mask, outlines of the part that is seen, and what a person marks.
// Positions are pixels of the scene, x right, y down. OpenLayers counts y upwards, so its y is the negative one.
"use strict";

const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7", "#0072b2"]; // Okabe and Ito's, as in preview.png
const STATUS = { found: ["#00c08b", []], empty: ["#c8d2cd", [2, 5]], failed: ["#ff4d3d", []], not_reached: ["#ffb000", [8, 5]] };
const FONT = 'system-ui, "DejaVu Sans", sans-serif';
const FINEST = 1 / 32; // scene pixels a screen pixel at the closest look
const MARGIN = 0.25; // of the screen: outlines are fetched for a little more than is seen

const colourOfId = (id) => COLOURS[(id - 1) % COLOURS.length];
const flipped = ([x1, y1, x2, y2]) => [x1, -y2, x2, -y1]; // both ways

// `doors` are functions of the page around it, all but `outlines` and one of the first two optional:
//   sceneTile(z, x, y, signal), maskTile(...) -> Promise of an ImageBitmap; picture() -> Promise of a URL of the picture in `extent`;
//   outlines(box, resolution, signal) -> Promise of GeoJSON; windows() -> Promise of GeoJSON; problem(error).
class Viewer {
  constructor(stage, { width, height, levels, tile, extent, base }, doors) {
    Object.assign(this, { stage, width, height, extent, doors });
    this.mode = "look";
    this.hot = 0;
    this.chosen = new Set();
    this.spot = null;
    this.watchers = { move: [], hover: [], click: [], box: [], view: [] };
    const beside = base ? Math.max(width, height) : 0; // a base map goes on around the scene
    this.projection = new ol.Projection({ code: "scene", units: "pixels", extent: [-beside, -height - beside, width + beside, beside] });
    this.sources = { outlines: vector(), prompts: vector(), marks: vector(), cross: vector(), windows: vector(), draft: vector(), frame: vector() };
    this.layers = {};
    if (base) this.layers.base = this.baseLayer(base);
    if (doors.sceneTile) this.addTiles(levels, tile);
    else this.addPicture();
    this.addVectors();
    this.map = new ol.Map({
      target: stage, controls: [], pixelRatio: Math.min(devicePixelRatio || 1, 2),
      layers: Object.values(this.layers),
      interactions: ol.defaultInteractions({ keyboard: false, altShiftDragRotate: false, pinchRotate: false, mouseWheelZoom: false, doubleClickZoom: false }),
      view: new ol.View({
        projection: this.projection, extent: padded([0, -height, width, 0]), constrainOnlyCenter: true, showFullExtent: true, enableRotation: false,
        minResolution: FINEST, maxResolution: Math.max(width, height) / 150, center: [width / 2, -height / 2], resolution: Math.max(width, height) / 600,
      }),
    });
    this.addInteractions();
    this.home();
    this.map.on("moveend", () => this.moved());
    this.map.on("change:size", () => this.tell("view"));
    this.map.once("change:size", () => this.home());
    this.map.on("rendercomplete", () => { stage.dataset.drawn = String(Number(stage.dataset.drawn || 0) + 1); });
    stage.viewer = this;
  }

  // Layers
  addTiles(levels, tile) {
    const tileGrid = new ol.TileGrid({
      extent: [0, -this.height, this.width, 0], origin: [0, 0], tileSize: tile, resolutions: Array.from({ length: levels }, (_, z) => 2 ** (levels - 1 - z)),
    });
    const layer = (load, how, limits = {}) => new ol.TileLayer({
      ...limits, preload: 1,
      source: new ol.ImageTile({ projection: this.projection, tileGrid, tileSize: tile, wrapX: false, transition: 0, zDirection: devicePixelRatio > 1.5 ? -1 : 0, ...how, loader: async (z, x, y, { signal }) => {
        try {
          return await load(z, x, y, signal);
        } catch (error) {
          if (error.name !== "AbortError") this.doors.problem(error);
          throw error;
        }
      } }),
    });
    this.layers.scene = layer(this.doors.sceneTile, {}, { minResolution: 0.4 });
    this.layers.pixels = layer(this.doors.sceneTile, { interpolate: false }, { maxResolution: 0.4 }); // close up, pixels are what was looked at
    if (this.doors.maskTile) this.layers.mask = layer(this.doors.maskTile, { interpolate: false });
  }
  addPicture() {
    const layer = (how) => new ol.ImageLayer(how);
    const put = (url) => {
      const source = (interpolate) => new ol.ImageStatic({ url, imageExtent: flipped(this.extent), projection: this.projection, interpolate });
      this.layers.scene.setSource(source(true));
      this.layers.pixels.setSource(source(false));
      this.stage.dataset.picture = "shown";
    };
    this.layers.scene = layer({ minResolution: 0.4 });
    this.layers.pixels = layer({ maxResolution: 0.4 });
    this.doors.picture().then(put, (error) => this.doors.problem(error));
  }
  // A base map lies under the scene: OpenLayers draws its tiles again in the scene's pixels.
  baseLayer({ url, toMercator, fromMercator }) {
    ol.addProjection(this.projection);
    ol.addCoordinateTransforms(this.projection, "EPSG:3857", ([x, y]) => toMercator(x, -y), ([x, y]) => { const [px, py] = fromMercator(x, y); return [px, -py]; });
    return new ol.TileLayer({ source: new ol.XYZ({ url, crossOrigin: null, maxZoom: 19, transition: 0 }) });
  }
  addVectors() {
    const layer = (name, style, how = {}) => new ol.VectorLayer({ source: this.sources[name], style, updateWhileAnimating: true, updateWhileInteracting: true, ...how });
    this.layers.frame = layer("frame", FRAME);
    this.layers.unseen = layer("windows", unseenStyle, { visible: false, opacity: 0.25 }); // windows overlap: one opacity for all of them
    this.layers.windows = layer("windows", windowStyle, { visible: false });
    this.layers.outlines = layer("outlines", (feature, resolution) => this.outlineStyle(feature, resolution));
    this.layers.numbers = layer("outlines", (feature, resolution) => this.numberStyle(feature, resolution), { declutter: true });
    this.layers.prompts = layer("prompts", promptStyle, { visible: false });
    this.layers.draft = layer("draft", DRAFT);
    this.layers.marks = layer("marks", markStyle);
    this.layers.cross = layer("cross", CROSS);
  }
  outlineStyle(feature, resolution) {
    const count = feature.get("count");
    if (count) return clusterStyle(count);
    const id = feature.getId(), colour = colourOfId(id), on = id === this.hot || this.chosen.has(id);
    const small = feature.get("side") < 5 * resolution;
    const stroke = new ol.Stroke({ color: colour, width: on ? 3.5 : small ? 1.2 : 2, lineJoin: "round", lineDash: this.chosen.has(id) ? [7, 3] : feature.get("unsure") ? [3, 5] : undefined });
    const shade = on ? "6b" : this.layers.mask?.getVisible() ? "03" : "29"; // the mask has filled it already; never 0, which could not be pointed at
    const styles = [new ol.Style({ stroke, fill: new ol.Fill({ color: colour + shade }), zIndex: on ? 1 : 0 })];
    if (!small) styles.unshift(new ol.Style({ stroke: new ol.Stroke({ color: "rgba(0,0,0,.65)", width: on ? 5.5 : 4, lineJoin: "round" }) }));
    return styles;
  }
  // Larger regions get their numbers first; one on a speck waits for a closer look.
  numberStyle(feature, resolution) {
    const id = feature.getId(), text = feature.get("unsure") ? `${id}?` : String(id);
    if (feature.get("count") || (feature.get("side") < (2 + 9 * text.length) * resolution && id !== this.hot && !this.chosen.has(id))) return null;
    return new ol.Style({ text: new ol.Text({ text, font: `700 15px ${FONT}`, fill: new ol.Fill({ color: "#fff" }), stroke: new ol.Stroke({ color: "#000", width: 4 }), overflow: true }), zIndex: -feature.get("side") });
  }

  // What a person does
  addInteractions() {
    const focused = () => this.stage.contains(document.activeElement);
    this.map.addInteraction(new ol.MouseWheelZoom({ condition: ({ originalEvent: e }) => e.ctrlKey || e.metaKey || focused() })); // else plain scrolling belongs to the page
    const drag = new ol.DragBox({ className: "ol-dragbox", condition: () => this.mode === "box" });
    drag.on("boxend", () => this.tell("box", this.clipped(flipped(drag.getGeometry().getExtent()))));
    this.map.addInteraction(drag);
    this.map.on("pointermove", (event) => {
      if (event.dragging) return;
      const [x, y] = this.placeOf(event.coordinate);
      this.tell("move", x, y);
      const feature = this.featureAt(event.pixel);
      this.stage.style.cursor = this.mode !== "look" ? "crosshair" : feature ? "pointer" : "";
      const id = feature && !feature.get("count") ? feature.getId() : 0;
      if (id !== this.hot) this.tell("hover", id);
    });
    this.map.getViewport().addEventListener("pointerleave", () => this.hot && this.tell("hover", 0));
    this.map.on("click", (event) => this.clicked(event.coordinate, event.originalEvent.altKey, event.pixel));
    this.map.getViewport().addEventListener("contextmenu", (event) => {
      if (this.mode !== "belongs" && this.mode !== "does not") return;
      event.preventDefault();
      this.tell("click", { place: this.placeOf(this.map.getEventCoordinate(event)), other: true });
    });
  }
  clicked(coordinate, other, pixel) {
    const place = this.placeOf(coordinate), feature = pixel && this.featureAt(pixel);
    if (this.mode === "look" && feature?.get("count")) return this.show(feature.get("box"));
    const id = feature && !feature.get("count") ? feature.getId() : 0;
    this.tell("click", { place, other, id, sure: !this.clustered || id > 0 });
  }
  featureAt(pixel) {
    let found = null;
    this.map.forEachFeatureAtPixel(pixel, (feature) => {
      if (!found || (!feature.get("count") && feature.get("side") < found.get("side"))) found = feature;
    }, { layerFilter: (layer) => layer === this.layers.outlines, hitTolerance: 2 });
    return found;
  }
  regionAt([x, y]) {
    const found = this.sources.outlines.getFeaturesAtCoordinate([x, -y]).filter((feature) => !feature.get("count"));
    return found.sort((a, b) => a.get("side") - b.get("side"))[0]?.getId() || 0;
  }
  on(name, watcher) {
    this.watchers[name].push(watcher);
    return this;
  }
  tell(name, ...what) {
    for (const watcher of this.watchers[name]) watcher(...what);
  }

  // Where it looks
  get view() { return this.map.getView(); }
  get resolution() { return this.view.getResolution(); }
  placeOf([x, y]) { return [x, -y]; }
  clipped([x1, y1, x2, y2]) {
    const box = [Math.max(0, Math.floor(x1)), Math.max(0, Math.floor(y1)), Math.min(this.width, Math.ceil(x2)), Math.min(this.height, Math.ceil(y2))];
    return box[2] > box[0] && box[3] > box[1] ? box : null;
  }
  inside([x, y]) { return x >= 0 && y >= 0 && x <= this.width && y <= this.height; }
  seen() { return flipped(this.view.calculateExtent(this.map.getSize() || [600, 400])); }
  show(box, closest = 0.25) {
    this.view.fit(flipped(box), { padding: [30, 30, 30, 30], minResolution: closest });
  }
  home() {
    this.view.fit(flipped(this.extent || [0, 0, this.width, this.height]), { padding: [8, 8, 8, 8], minResolution: 1 / 8 });
  }
  zoom(factor) {
    const resolution = this.view.getConstrainedResolution(this.resolution / factor);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) this.view.setResolution(resolution);
    else this.view.animate({ resolution, duration: 120 });
  }
  bring(box) { // no closer than needed: only if it is out of sight or a speck
    const [x1, y1, x2, y2] = this.seen(), side = Math.max(box[2] - box[0], box[3] - box[1]);
    const out = box[0] < x1 || box[1] < y1 || box[2] > x2 || box[3] > y2;
    if (side < 12 * this.resolution) this.show(box, Math.max(side / 60, 1 / 8));
    else if (out) this.view.setCenter([(box[0] + box[2]) / 2, -(box[1] + box[3]) / 2]);
  }
  // The place on the screen, for tests and for what lies over the picture.
  screenOf([x, y]) {
    const [left, top] = this.map.getPixelFromCoordinate([x, -y]), box = this.map.getViewport().getBoundingClientRect();
    return [left + box.x, top + box.y];
  }
  moved() {
    this.tell("view");
    this.load().catch((error) => error.name === "AbortError" || this.doors.problem(error));
  }

  // Outlines of the part that is seen, and a little more. They are asked for again where it changes.
  async load() {
    const [x1, y1, x2, y2] = this.seen(), resolution = this.resolution, old = this.loaded;
    const within = old && x1 >= old.box[0] && y1 >= old.box[1] && x2 <= old.box[2] && y2 <= old.box[3];
    if (within && (old.all || (!old.clustered && resolution > old.resolution * 0.6 && resolution < old.resolution * 1.7) || resolution === old.resolution)) return;
    const [dx, dy] = [(x2 - x1) * MARGIN, (y2 - y1) * MARGIN], box = [x1 - dx, y1 - dy, x2 + dx, y2 + dy];
    this.asking?.abort();
    this.asking = new AbortController();
    const signal = this.asking.signal;
    this.stage.classList.add("reading");
    const found = await this.doors.outlines(box, resolution, signal).finally(() => signal.aborted || this.stage.classList.remove("reading"));
    this.loaded = { box, resolution, clustered: found.clustered, all: found.all };
    this.clustered = found.clustered;
    const features = new ol.GeoJSON().readFeatures(found);
    for (const feature of features) {
      const shape = feature.getGeometry();
      shape.scale(1, -1, [0, 0]);
      const [left, low, right, high] = shape.getExtent();
      feature.set("side", feature.get("count") ? Infinity : Math.max(right - left, high - low), true);
    }
    features.sort((a, b) => b.get("side") - a.get("side"));
    this.sources.outlines.clear(true);
    this.sources.outlines.addFeatures(features);
    this.stage.dataset.outlines = String(features.length);
    this.stage.dataset.clustered = String(found.clustered);
    this.tell("view");
  }
  select(hot, chosen) {
    if (hot === this.hot && chosen.size === this.chosen.size && [...chosen].every((id) => this.chosen.has(id))) return;
    this.hot = hot;
    this.chosen = new Set(chosen);
    this.layers.outlines.changed();
    this.layers.numbers.changed();
    this.stage.dataset.hot = String(hot || "");
  }
  setMode(mode) {
    this.mode = mode;
    this.stage.classList.toggle("marking", mode !== "look");
  }
  setLayer(names, on) {
    for (const name of names) this.layers[name]?.setVisible(on);
    this.layers.outlines.changed();
  }
  setMarks(points) {
    this.sources.marks.clear(true);
    this.sources.marks.addFeatures(points.map(({ x, y, good }) => new ol.Feature({ geometry: new ol.Point([x, -y]), good })));
  }
  setPrompts(prompts) { // {box, positive, negative} in scene pixels
    const features = [];
    for (const { box, positive, negative } of prompts) {
      if (box) features.push(new ol.Feature({ geometry: ol.fromExtent(flipped(box)) }));
      for (const [points, good] of [[positive, true], [negative, false]]) {
        if (points?.length) features.push(new ol.Feature({ geometry: new ol.MultiPoint(points.map(([x, y]) => [x, -y])), good }));
      }
    }
    this.sources.prompts.addFeatures(features);
  }
  setWindows(collection) {
    const features = new ol.GeoJSON().readFeatures(collection);
    for (const feature of features) feature.getGeometry().scale(1, -1, [0, 0]);
    this.sources.windows.addFeatures(features);
    this.stage.dataset.windows = String(features.length);
  }
  setDraft(box) {
    this.sources.draft.clear(true);
    if (box) this.sources.draft.addFeature(new ol.Feature({ geometry: ol.fromExtent(flipped(box)) }));
  }
  setFrame(box) { // what was asked about, where it is a part
    this.sources.frame.addFeature(new ol.Feature({ geometry: ol.fromExtent(flipped(box)) }));
  }
  setSpot(spot) {
    this.spot = spot;
    this.sources.cross.clear();
    if (!spot) return;
    this.sources.cross.addFeature(new ol.Feature({ geometry: new ol.Point([spot[0], -spot[1]]) }));
    const [x1, y1, x2, y2] = this.seen();
    if (spot[0] < x1 || spot[1] < y1 || spot[0] > x2 || spot[1] > y2) this.view.setCenter([spot[0], -spot[1]]);
  }
  close() {
    this.asking?.abort();
    this.map.setTarget(null);
  }
}

function vector() {
  return new ol.VectorSource({ wrapX: false });
}
function padded([x1, y1, x2, y2]) {
  const edge = Math.max(x2 - x1, y2 - y1) * 0.15;
  return [x1 - edge, y1 - edge, x2 + edge, y2 + edge];
}
function clusterStyle(count) {
  const text = count < 1000 ? String(count) : `${(count / 1000).toPrecision(count < 10_000 ? 2 : 3)}k`;
  return new ol.Style({
    image: new ol.CircleStyle({ radius: 11 + 3 * Math.log10(count), fill: new ol.Fill({ color: "rgba(12,40,46,.86)" }), stroke: new ol.Stroke({ color: "#fff", width: 1.5 }) }),
    text: new ol.Text({ text, font: `700 12px ${FONT}`, fill: new ol.Fill({ color: "#fff" }), offsetY: 1 }),
  });
}
function windowStyle(feature) {
  const [color, lineDash] = STATUS[feature.get("status")] || STATUS.empty;
  return [new ol.Style({ stroke: new ol.Stroke({ color: "rgba(0,0,0,.55)", width: 3.5 }) }), new ol.Style({ stroke: new ol.Stroke({ color, width: 1.5, lineDash }) })];
}
function unseenStyle(feature) {
  const status = feature.get("status");
  return ["failed", "not_reached"].includes(status) ? new ol.Style({ fill: new ol.Fill({ color: STATUS[status][0] }) }) : null;
}
const white = (width, lineDash) => new ol.Stroke({ color: "#fff", width, lineDash });
const dot = (color, radius, stroke) => new ol.CircleStyle({ radius, fill: new ol.Fill({ color }), stroke });
const PROMPT = new ol.Style({ stroke: white(1.5, [4, 3]), image: dot("#fff", 3.5, new ol.Stroke({ color: "#000", width: 1 })) });
const PROMPT_NOT = new ol.Style({ image: dot("#ff5c38", 3.5, new ol.Stroke({ color: "#000", width: 1 })) });
const promptStyle = (feature) => (feature.get("good") === false ? PROMPT_NOT : PROMPT);
const DRAFT = [new ol.Style({ stroke: new ol.Stroke({ color: "rgba(0,0,0,.7)", width: 5 }) }), new ol.Style({ stroke: white(2.5, [8, 5]), fill: new ol.Fill({ color: "rgba(255,255,255,.12)" }) })];
const FRAME = new ol.Style({ stroke: new ol.Stroke({ color: "rgba(255,255,255,.75)", width: 1, lineDash: [2, 4] }) });
const line = (angle, colour, width) => new ol.Style({ image: new ol.RegularShape({ points: 4, radius: 14, radius2: 0, angle, stroke: new ol.Stroke({ color: colour, width }) }) });
const CROSS = [line(0, "rgba(0,0,0,.6)", 4), line(0, "#fff", 1.5)];
function markStyle(feature) {
  const good = feature.get("good");
  return [
    new ol.Style({ image: dot(good ? "#00875f" : "#c43c00", 9, white(2)) }),
    new ol.Style({ text: new ol.Text({ text: good ? "+" : "−", font: `700 15px ${FONT}`, fill: new ol.Fill({ color: "#fff" }), offsetY: 1 }) }),
  ];
}
