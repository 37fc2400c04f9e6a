// The TypeScript SDK's client, both eras: node try_typescript.mjs [URL | COMMAND ...], in a folder where
// `npm install @modelcontextprotocol/client` was run.
import { readdirSync } from "node:fs";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const SLOW_MS = 10_000;
const target = process.argv.slice(2);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const results = () => readdirSync(process.env.T2S_STORE).filter((name) => name.startsWith("r_")).length;

function transport() {
  if (target[0].startsWith("http")) return new StreamableHTTPClientTransport(new URL(target[0]));
  return new StdioClientTransport({ command: target[0], args: target.slice(1), env: { ...process.env } });
}

for (const mode of ["auto", "legacy"]) {
  const client = new Client({ name: "try", version: "0" }, { versionNegotiation: { mode } });
  await client.connect(transport());
  const say = (act, what) => console.log(`typescript ${mode}`.padEnd(24), act.padEnd(10), what);
  const facts = async (name, args, options) => {
    const answer = await client.callTool({ name, arguments: args }, options);
    if (answer.isError) throw new Error(answer.content[0].text);
    const told = JSON.stringify(JSON.parse(answer.content[0].text));
    if (JSON.stringify(answer.structuredContent) !== told) throw new Error("text and structured content differ");
    return answer.structuredContent.status === "running" ? facts(name, args, options) : answer.structuredContent;
  };

  say("listed", (await client.listTools()).tools.map((tool) => tool.name).join(", "));
  const seen = [];
  const onprogress = (step) => seen.push(step.message);
  const tanks = await facts("reason_segment", { image: "harbour.tif", query: "storage tanks", preview: false }, { onprogress });
  if (tanks.total !== 7 || !seen.length) throw new Error(JSON.stringify([tanks, seen]));
  say("called", `${tanks.total} tanks, ${tanks.total_area_m2} +- ${tanks.total_pm} m2`);
  say("progress", seen.join("; "));
  const quay = await facts("reason_segment", { image: "harbour.tif", query: "the quay" });
  const near = await facts("refine_mask", { result_id: tanks.result_id, combine_with: quay.result_id, within_m: 100 });
  const told = await facts("describe_region", { result_id: near.result_id, question: "What are these?" });
  say("chained", `${near.total} of ${tanks.total} near the quay; claimed: ${told.claimed}`);
  const wrong = await client.callTool({ name: "reason_segment", arguments: { image: "harbor.tiff", query: "tanks" } });
  if (!wrong.isError) throw new Error("no error");
  say("error", wrong.content[0].text);

  const before = results();
  const abort = new AbortController();
  const slow = client.callTool(
    { name: "reason_segment", arguments: { image: "harbour.tif", query: `ships, slowly ${Date.now()}` } },
    { signal: abort.signal },
  );
  await wait(2_000);
  abort.abort();
  await slow.then(() => { throw new Error("answered all the same"); }, (error) => say("cancelled", error.message ?? error));
  await wait(SLOW_MS);
  if (results() !== before) throw new Error("a cancelled call left a result");
  say("cancelled", "nothing was made of it later");
  await client.close();
}
