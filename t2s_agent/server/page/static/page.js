// The page around a result: the list of results, signing in, asking, and the URLs of the API.
"use strict";

const $ = (id) => document.getElementById(id);
const EVERY = 10_000; // ms between checks for new results while the page is visible
const IMAGE = "image:"; // before the name of an image in the address
const state = { current: "", shown: [], more: false, asks: false };

class Refusal extends Error {}

async function request(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem("t2s-token");
    const headers = { ...(options.body ? { "Content-Type": options.type || "application/json" } : {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    const answer = await fetch(path, { cache: "no-store", ...options, headers }).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new Refusal("The server does not answer. See whether it is running, and whether the network works; then try again.");
    });
    if (answer.ok) return answer;
    if (options.patient && [429, 503].includes(answer.status)) await new Promise((go) => setTimeout(go, 1000 * (Number(answer.headers.get("Retry-After")) || 1)));
    else if (answer.status === 401) await signIn(token ? "That token is not accepted." : "");
    else throw new Refusal(await reasonOf(answer));
  }
}

// What is wrong and what to do, then the code by which the documentation lists it.
const sentence = (text) => (/^[a-z]+(?![\w.\-])/.test(text) ? text.slice(0, 1).toUpperCase() + text.slice(1) : text) + (/[.!?]$/.test(text) ? "" : "."); // names of files stay
const saying = ({ code, what, fix }) => `${sentence(what)} ${sentence(fix)} (${code})`;

async function reasonOf(answer) {
  const text = await answer.text();
  try {
    const { error } = JSON.parse(text);
    return typeof error === "string" ? error : saying(error);
  } catch {
    return `${answer.status}: ${text.slice(0, 200) || answer.statusText}`;
  }
}

let signingIn = null;
function signIn(problem) {
  signingIn = signingIn || new Promise((resolve) => {
    const dialog = $("sign-in"), form = dialog.querySelector("form");
    form.querySelector(".status").textContent = problem;
    dialog.oncancel = (event) => event.preventDefault();
    form.addEventListener("submit", () => {
      sessionStorage.setItem("t2s-token", form.elements.token.value.trim());
      form.reset();
      signingIn = null;
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return signingIn;
}

const json = async (path) => (await request(path)).json();
const at = (id, rest = "") => `api/results/${encodeURIComponent(id)}${rest}`;

// Reads one JSON object per line: progress lines, then the outcome.
async function work(path, body, progress, signal) {
  const answer = await request(path, { method: "POST", body: JSON.stringify(body), signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines.map((text) => JSON.parse(text))) {
      if (line.error) throw new Refusal(saying(line.error));
      if (line.result) return line.result;
      progress(line.progress);
    }
  }
  throw new Refusal("The server stopped before the work was done. Its log says why. (internal)");
}

async function addressOf(path) {
  return URL.createObjectURL(await (await request(path)).blob());
}

// A tile may be kept by the browser, which asks each time, with the token, whether it still counts.
const tileOf = async (path, signal) => createImageBitmap(await (await request(path, { signal, cache: "no-cache", patient: true })).blob());

const doors = {
  href: (id) => `#${id}`,
  open: (id) => {
    location.hash = id;
    $("result").focus({ preventScroll: true });
    scrollTo(0, 0);
    readList();
  },
};

function doorsOf(id, shown) {
  return {
    ...doors,
    sceneTile: (z, x, y, signal) => tileOf(at(id, `/scene/${z}/${x}/${y}`), signal),
    maskTile: (z, x, y, signal) => tileOf(at(id, `/mask/${z}/${x}/${y}`), signal),
    outlines: async (box, resolution, signal) => (await request(at(id, `/regions?bbox=${box.map((v) => v.toFixed(2))}&resolution=${resolution}`), { signal, patient: true })).json(),
    rows: ({ sort, down, from, limit }) => json(at(id, `/rows?sort=${sort}&down=${down ? 1 : 0}&from=${from}&limit=${limit}`)),
    at: async (x, y) => (await json(at(id, `/at?x=${x}&y=${y}`))).row,
    windows: () => json(at(id, "/windows")),
    refine: (asked, progress, signal) => work(at(id, "/refine"), asked, progress, signal),
    ask: state.asks ? (query, bbox, progress, signal) => work("api/results", { of: id, query, ...(bbox ? { bbox } : {}) }, progress, signal) : null,
    rest: state.asks ? (progress, signal) => work(at(id, "/rest"), {}, progress, signal) : null,
    rename: async (name) => {
      await request(at(id, "/name"), { method: "POST", body: JSON.stringify({ name }) });
      await openResult(id);
      readList();
    },
    remove: () => removeResult(id, shown),
    download: async (name) => {
      const address = await addressOf(at(id, `/files/${name}`));
      el("a", { href: address, download: `${id}-${name}` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    },
  };
}

async function removeResult(id, shown) {
  const children = shown.lineage.filter((node) => node.parents.includes(id)).length;
  const dialog = $("remove");
  dialog.querySelector(".what").textContent = `“${shown.name || shown.record.query}” with its files will be deleted for good.${children ? ` ${counted(children, "result")} made from it will stay, and can no longer be traced back to it.` : ""}`;
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  if (dialog.returnValue !== "delete") return;
  await request(at(id), { method: "DELETE" });
  const results = await readList();
  location.hash = results[0]?.id || "";
  if (!results.length) nothingYet();
}

async function openResult(id) {
  state.current = id;
  mark();
  const main = $("result");
  if (!id) return;
  try {
    if (id.startsWith(IMAGE)) return await openImage(main, id);
    const shown = await json(at(id));
    if (state.current !== id) return; // another one was opened meanwhile
    showResult(main, shown, doorsOf(id, shown));
    document.title = `${shown.name || shown.record.query} · t2s-agent`;
    main.dataset.shows = id;
  } catch (error) {
    if (state.current !== id) return;
    main.replaceChildren(el("p", { class: "alert", role: "alert" }, error.message));
    main.dataset.shows = "";
  }
}

async function openImage(main, id) {
  const name = decodeURIComponent(id.slice(IMAGE.length)), query = `name=${encodeURIComponent(name)}`;
  const facts = await json(`api/image?${query}`);
  if (state.current !== id) return;
  showImage(main, { name, ...facts }, {
    ...doors,
    sceneTile: (z, x, y, signal) => tileOf(`api/image/${z}/${x}/${y}?${query}`, signal),
    ask: (asked, bbox, progress, signal) => work("api/results", { image: name, query: asked, ...(bbox ? { bbox } : {}) }, progress, signal),
  });
  document.title = `${name} · t2s-agent`;
  main.dataset.shows = id;
}

function nothingYet() {
  $("result").viewer?.close();
  const how = state.asks ? "Choose an image and ask a question." : "Ask through an agent or on the command line; to ask here, start the server with --root and a folder of images.";
  $("result").replaceChildren(el("p", { class: "empty" }, `No results yet. ${how}`));
  openDrawer(state.asks); // on a narrow screen the form is in it
  $("result").dataset.shows = "";
}

function mark() {
  for (const item of $("list").children) {
    if (item.dataset.id === state.current) item.firstChild.setAttribute("aria-current", "true");
    else item.firstChild.removeAttribute("aria-current");
  }
}

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    addressOf(at(target.dataset.of, "/thumbnail")).then((address) => {
      target.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
      target.src = address;
    }, () => {}); // an item without a thumbnail is still an item
  }
});

function itemOf(summary) {
  const thumb = el("img", { class: "thumb", alt: "", "data-of": summary.id });
  seen.observe(thumb);
  return el("li", { "data-id": summary.id }, el("a", { href: `#${summary.id}`, onclick: () => $("shelf").classList.contains("open") && openDrawer(false) }, thumb,
    el("span", {}, el("strong", {}, summary.name || summary.query), el("small", {}, summary.count ? `${counted(summary.count, "region")}, ${roughly(summary.total_area, summary.unit_area)}` : summary.status === "not_understood" ? "not understood" : "nothing found"),
      el("small", {}, `${summary.image} · ${madeBy(summary.operation)}`), el("small", {}, when(summary.created_utc)))));
}

// Existing items stay in the document, so that the focus is not lost.
function draw(summaries) {
  const list = $("list"), wanted = new Set(summaries.map((s) => s.id));
  for (const item of [...list.children]) if (!wanted.has(item.dataset.id)) item.remove();
  for (const [index, summary] of summaries.entries()) {
    const there = [...list.children].find((item) => item.dataset.id === summary.id);
    if (there) there.querySelector("strong").textContent = summary.name || summary.query;
    if (list.children[index]?.dataset.id !== summary.id) list.insertBefore(itemOf(summary), list.children[index] || null);
  }
  state.shown = summaries;
  mark();
}

async function readList() {
  try {
    const { results, total, more } = await json(`api/results?limit=${clamp(state.shown.length, 50, 200)}`);
    const older = state.shown.slice(results.length).filter((s) => !results.some((r) => r.id === s.id));
    draw([...results, ...older]);
    $("total").textContent = total ? `(${total})` : "";
    $("drawer").textContent = total ? `Ask, results (${total})` : "Ask, results";
    $("more").hidden = !more || state.shown.length >= total;
    $("shelf-status").textContent = total ? "" : "None yet. Ask a question here, on the command line or through an agent.";
    return results;
  } catch (error) {
    $("shelf-status").textContent = error.message;
    return [];
  }
}

async function readOlder() {
  const last = state.shown.at(-1);
  const { results, more } = await json(`api/results?limit=50&before=${last.id}`);
  draw([...state.shown, ...results]);
  $("list").querySelector(`[data-id="${results[0]?.id}"] a`)?.focus();
  $("more").hidden = !more;
}

function openDrawer(open) {
  $("shelf").classList.toggle("open", open);
  $("drawer").setAttribute("aria-expanded", open);
}

async function readImages() {
  const form = $("ask"), { image } = form.elements, chosen = image.value;
  const { images, upload_bytes: most } = await json("api/images");
  state.asks = images.length > 0;
  form.hidden = !state.asks && !most;
  for (const field of form.querySelectorAll(".asks")) field.hidden = !state.asks;
  $("upload").hidden = !most;
  $("upload").dataset.most = most;
  image.replaceChildren(...images.map((name) => el("option", { value: name }, name)));
  if (images.includes(chosen)) image.value = chosen;
}

// Sends an image to this server, which keeps it in a folder of this person's own for some days.
async function upload(file, status) {
  const most = Number($("upload").dataset.most);
  if (file.size > most) throw new Refusal(`${file.name} has ${bytes(file.size)}. At most ${bytes(most)} are allowed. (limit_exceeded)`);
  status.textContent = `sending ${file.name}, ${bytes(file.size)} …`;
  const answer = await request(`api/images?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file, type: "application/octet-stream" });
  const { image } = await answer.json();
  await readImages();
  $("ask").elements.image.value = image;
  status.textContent = "";
  return image;
}

async function prepareAsking() {
  const form = $("ask"), { image, query, stop, look, file } = form.elements, status = form.querySelector(".status"), button = form.querySelector(".primary");
  look.addEventListener("click", () => { openDrawer(false); location.hash = IMAGE + encodeURIComponent(image.value); });
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    status.classList.remove("error");
    try {
      location.hash = IMAGE + encodeURIComponent(await upload(file.files[0], status));
      openDrawer(false);
    } catch (error) {
      status.textContent = error.message;
      status.classList.add("error");
    }
    file.value = "";
  });
  let running = null;
  stop.addEventListener("click", () => running && running.abort());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    running = new AbortController();
    stop.hidden = false;
    button.disabled = true;
    status.classList.remove("error");
    try {
      const id = await work("api/results", { image: image.value, query: query.value }, (text) => { status.textContent = `${text} …`; }, running.signal);
      status.textContent = "";
      openDrawer(false);
      doors.open(id);
    } catch (error) {
      const stopped = error.name === "AbortError";
      status.textContent = stopped ? STOPPED : error.message;
      status.classList.toggle("error", !stopped);
    }
    stop.hidden = true;
    button.disabled = false;
  });
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("t2s-theme", root.dataset.theme);
}

async function start() {
  const theme = localStorage.getItem("t2s-theme");
  if (theme) document.documentElement.dataset.theme = theme;
  $("theme").addEventListener("click", switchTheme);
  $("drawer").addEventListener("click", () => openDrawer(!$("shelf").classList.contains("open")));
  $("again").addEventListener("click", readList);
  $("more").addEventListener("click", readOlder);
  prepareAsking();
  addEventListener("hashchange", () => openResult(location.hash.slice(1)));
  document.addEventListener("visibilitychange", () => document.hidden || readList());
  setInterval(() => document.hidden || signingIn || readList(), EVERY);
  const results = await readList();
  await readImages().catch((error) => { $("shelf-status").textContent = error.message; });
  if (location.hash.length > 1) openResult(location.hash.slice(1));
  else if (results.length) history.replaceState(null, "", `#${results[0].id}`), openResult(results[0].id);
  else nothingYet();
}

start();
