// The MCP App: shows a result inside an agent's conversation. All messages go through the host, by postMessage.
"use strict";

const PROTOCOL = "2026-01-26";
const host = { capabilities: {}, waiting: new Map(), next: 1 };

function post(message) {
  parent.postMessage({ jsonrpc: "2.0", ...message }, "*"); // hosts' origins are not known in advance; nothing secret is sent
}
const notify = (method, params = {}) => post({ method, params });
function call(method, params, signal) {
  const id = host.next++;
  post({ id, method, params });
  return new Promise((resolve, reject) => {
    host.waiting.set(id, { resolve, reject });
    signal?.addEventListener("abort", () => {
      host.waiting.delete(id);
      notify("notifications/cancelled", { requestId: id, reason: "stopped by the person" });
      reject(signal.reason);
    });
  });
}

addEventListener("message", ({ source, data }) => {
  if (source !== parent || data?.jsonrpc !== "2.0") return;
  if (data.method === undefined) {
    const waiting = host.waiting.get(data.id);
    host.waiting.delete(data.id);
    if (!waiting) return;
    if (data.error) waiting.reject(new Error(data.error.message));
    else waiting.resolve(data.result);
  } else if (data.method === "ui/notifications/tool-result") receive(data.params);
  else if (data.method === "ui/notifications/tool-cancelled") say("The call was cancelled.");
  else if (data.method === "ui/notifications/host-context-changed") dress(data.params);
  else if (data.id !== undefined) {
    if (["ui/resource-teardown", "ping"].includes(data.method)) post({ id: data.id, result: {} });
    else post({ id: data.id, error: { code: -32601, message: `no method ${data.method}` } });
  }
});

function dress(context) {
  if (context?.theme) document.documentElement.dataset.theme = context.theme;
}

function say(text) {
  document.getElementById("result").replaceChildren(el("p", { class: "empty", role: "status" }, text));
}

// Returns the facts of an answer; from its text if there is no structured content.
function factsOf(answer) {
  if (answer.structuredContent) return answer.structuredContent;
  for (const part of answer.content || []) {
    try {
      return JSON.parse(part.text);
    } catch {
      // a picture, or words
    }
  }
  return {};
}

// A tool's answer names its result; the outlines and the picture are a resource of the server.
async function receive(answer) {
  const facts = factsOf(answer);
  if (answer.isError) return say(answer.content?.find((part) => part.type === "text")?.text || "The call failed.");
  if (!facts.result_id) return say(facts.status === "running" ? "Still working. Call the tool again to join it." : "The answer names no result.");
  return open(facts.result_id);
}

async function open(id) {
  try {
    const { contents } = await call("resources/read", { uri: `t2s://results/${id}/view` });
    const shown = JSON.parse(contents[0].text);
    const main = document.getElementById("result");
    showResult(main, shown, doorsOf(id, shown));
    main.dataset.shows = id;
  } catch (error) {
    say(`This host shows no more of ${id}: ${error.message}`);
  }
}

function doorsOf(id, shown) {
  const known = shown.rows, byId = new Map(known.map((row) => [row.id, row]));
  return {
    compact: true,
    href: () => "#",
    open,
    picture: () => (shown.picture ? Promise.resolve(shown.picture) : Promise.reject(new Error(shown.remark))),
    outlines: async () => ({ ...shown.features, all: true }),
    rows: async (asked) => ({ rows: ordered(known, asked).slice(asked.from, asked.from + asked.limit), known: shown.known, unsure: shown.unsure }),
    at: async (x, y) => byId.get(document.querySelector(".stage").viewer.regionAt([x, y])) || null,
    refine: host.capabilities.serverTools ? (asked, _, signal) => refine(id, shown, asked, signal) : null,
    download: host.capabilities.downloadFile ? (name) => call("ui/download-file", { contents: [{ type: "resource_link", uri: `t2s://results/${id}/${name}`, name: `${id}-${name}` }] }) : null,
  };
}

function ordered(rows, { sort, down }) {
  const value = (row) => (sort === "x" ? row.centroid[0] : row[sort]);
  const compare = (a, b) => (value(a) > value(b) ? 1 : value(a) < value(b) ? -1 : 0) * (down ? -1 : 1) || a.id - b.id;
  return [...rows].sort(compare);
}

// Converts pixels of the scene to degrees, where it has a ground.
function placeOf(shown, [x, y]) {
  if (!shown.record.located) return [x, y];
  const place = lonlatAt(shown, x, y);
  if (!place) throw new Error("That place has no longitude and latitude.");
  return place.map((v) => Number(v.toFixed(shown.decimals + 1)));
}

async function refine(id, shown, asked, signal) {
  const given = {
    result_id: id, instruction: asked.instruction, keep: asked.keep, drop: asked.drop,
    positive_points: asked.positive?.map((point) => placeOf(shown, point)), negative_points: asked.negative?.map((point) => placeOf(shown, point)),
  };
  for (const name of Object.keys(given)) if (!given[name]?.length) delete given[name];
  if (asked.min_probability) given.min_probability = asked.min_probability;
  let answer;
  do answer = await call("tools/call", { name: "refine_mask", arguments: given }, signal);
  while (factsOf(answer).status === "running"); // the same call joins the work that goes on
  if (answer.isError) throw new Error(answer.content?.[0]?.text || "The call failed.");
  const made = factsOf(answer).result_id;
  if (!made) throw new Error("The tool named no new result.");
  if (host.capabilities.updateModelContext) {
    const text = `The person corrected ${id} in the picture; the new result is ${made}.`;
    call("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => {});
  }
  return made;
}

async function start() {
  const answer = await call("ui/initialize", { protocolVersion: PROTOCOL, appInfo: { name: "t2s-agent", version: "1" }, appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] } });
  host.capabilities = answer.hostCapabilities || {};
  dress(answer.hostContext);
  notify("ui/notifications/initialized");
  new ResizeObserver(() => notify("ui/notifications/size-changed", { width: document.body.scrollWidth, height: Math.ceil(document.body.getBoundingClientRect().height) })).observe(document.body);
}

start();
