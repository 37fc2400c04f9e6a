// The page around a result: the list of results, signing in, asking, and the URLs of the API.
"use strict";

const $ = (id) => document.getElementById(id);
const EVERY = 10_000; // ms between checks for new results while the page is visible
const PICTURES = 8; // kept at a time
const state = { current: "", shown: [], more: false, pictures: new Map() };

class Refusal extends Error {}

async function request(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem("t2s-token");
    const headers = { ...(options.body ? { "Content-Type": "application/json" } : {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    const answer = await fetch(path, { ...options, headers, cache: "no-store" });
    if (answer.ok) return answer;
    if (answer.status === 401) await signIn(token ? "That token is not accepted." : "");
    else throw new Refusal(await reasonOf(answer));
  }
}

async function reasonOf(answer) {
  const text = await answer.text();
  try {
    const { error } = JSON.parse(text);
    return typeof error === "string" ? error : `${error.code}: ${error.what}. ${error.fix}.`;
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
      if (line.error) throw new Refusal(`${line.error.code}: ${line.error.what}. ${line.error.fix}.`);
      if (line.result) return line.result;
      progress(line.progress);
    }
  }
  throw new Refusal("internal: the server stopped in the middle of it. Its log says why.");
}

async function addressOf(path) {
  return URL.createObjectURL(await (await request(path)).blob());
}

function pictureOfResult(id) {
  if (!state.pictures.has(id)) {
    const coming = addressOf(at(id, "/image"));
    state.pictures.set(id, coming);
    coming.catch(() => state.pictures.delete(id));
    if (state.pictures.size > PICTURES) {
      const [oldest, address] = state.pictures.entries().next().value;
      state.pictures.delete(oldest);
      address.then(URL.revokeObjectURL, () => {});
    }
  }
  return state.pictures.get(id);
}

const doors = {
  href: (id) => `#${id}`,
  open: (id) => {
    location.hash = id;
    $("result").focus({ preventScroll: true });
    scrollTo(0, 0);
    readList();
  },
  picture: () => pictureOfResult(state.current),
  refine: (asked, progress, signal) => work(at(state.current, "/refine"), asked, progress, signal),
  download: async (name) => {
    const address = await addressOf(at(state.current, `/files/${name}`));
    el("a", { href: address, download: `${state.current}-${name}` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  },
};

async function openResult(id) {
  state.current = id;
  mark();
  const main = $("result");
  try {
    const shown = await json(at(id));
    if (state.current !== id) return; // another one was opened meanwhile
    showResult(main, shown, doors);
    document.title = `${shown.record.query} · t2s-agent`;
    main.dataset.shows = id;
  } catch (error) {
    if (state.current !== id) return;
    main.replaceChildren(el("p", { class: "alert", role: "alert" }, error.message));
    main.dataset.shows = "";
  }
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
    el("span", {}, el("strong", {}, summary.query), el("small", {}, summary.count ? `${counted(summary.count, "region")}, ${roughly(summary.total_area, summary.unit_area)}` : summary.status === "not_understood" ? "not understood" : "nothing found"),
      el("small", {}, `${summary.image} · ${summary.operation}`), el("small", {}, when(summary.created_utc)))));
}

// Existing items stay in the document, so that the focus is not lost.
function draw(summaries) {
  const list = $("list"), wanted = new Set(summaries.map((s) => s.id));
  for (const item of [...list.children]) if (!wanted.has(item.dataset.id)) item.remove();
  for (const [index, summary] of summaries.entries()) {
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
    $("drawer").textContent = `Results (${total})`;
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
  $("more").hidden = !more;
}

function openDrawer(open) {
  $("shelf").classList.toggle("open", open);
  $("drawer").setAttribute("aria-expanded", open);
}

async function prepareAsking() {
  const form = $("ask"), { image, query, stop } = form.elements, status = form.querySelector(".status"), button = form.querySelector(".primary");
  const { images } = await json("api/images");
  form.hidden = images.length === 0;
  image.replaceChildren(...images.map((name) => el("option", { value: name }, name)));
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
      status.textContent = stopped ? "Stopped; nothing was kept." : error.message;
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
  addEventListener("hashchange", () => openResult(location.hash.slice(1)));
  document.addEventListener("visibilitychange", () => document.hidden || readList());
  setInterval(() => document.hidden || signingIn || readList(), EVERY);
  const results = await readList();
  if (location.hash.length > 1) openResult(location.hash.slice(1));
  else if (results.length) history.replaceState(null, "", `#${results[0].id}`), openResult(results[0].id);
  else $("result").replaceChildren(el("p", { class: "empty" }, "No results yet."));
  prepareAsking().catch((error) => { $("shelf-status").textContent = error.message; });
}

start();
