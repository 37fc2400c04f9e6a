// Makes ../static/ol.js and ../static/ol-licences.txt: npm ci && npm run build. The same packages give the same bytes.
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

// Two places of OpenLayers turn a text into HTML, which the page's policy (trusted types) forbids. Neither needs to.
const asText = {
  name: "as-text",
  setup(build) {
    build.onLoad({ filter: /ol[/\\](render[/\\]canvas|control[/\\]Attribution)\.js$/ }, ({ path }) => {
      const [before, after] = readFileSync(path, "utf8").split(".innerHTML =");
      if (after === undefined) throw new Error(`${path} has changed: look at it`);
      return { contents: `${before}.textContent =${after}`, loader: "js" };
    });
  },
};

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8")).version;
const banner = `/* OpenLayers ${version("ol")}, a part of it: see viewer/ beside static/. Licences: ol-licences.txt */`;
const { metafile } = await build({
  entryPoints: ["entry.js"], outfile: "../static/ol.js", bundle: true, minify: true, format: "iife", globalName: "ol",
  target: "es2020", legalComments: "none", banner: { js: banner }, plugins: [asText], metafile: true,
});
const inputs = Object.keys(metafile.inputs).filter((path) => path.startsWith("node_modules/"));
const packages = [...new Set(inputs.map((path) => path.split("/")[1]))].sort();
const licenceOf = (name) => {
  const file = ["LICENSE.md", "LICENSE"].find((each) => {
    try { return readFileSync(`node_modules/${name}/${each}`, "utf8"); } catch { return ""; }
  });
  if (!file) throw new Error(`${name} has no licence file`);
  return readFileSync(`node_modules/${name}/${file}`, "utf8").trim();
};
writeFileSync("../static/ol-licences.txt", packages.map((name) => `${name} ${version(name)}\n\n${licenceOf(name)}\n`).join("\n\n"));
