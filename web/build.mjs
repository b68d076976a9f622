// Bundles what runs a model in a browser into label_image/web/runtime: run by `make web-runtime` after `npm ci`.

import { createRequire } from "node:module";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "label_image", "web", "runtime");
const core = join(dirname(createRequire(import.meta.url).resolve("@litertjs/core")), "..");
const { version, license } = JSON.parse(await readFile(join(core, "package.json"), "utf8"));
const LICENCES = `runtime.wasm.gz and runtime.js are part of LiteRT.js (@litertjs/core ${version}), worker.js contains parts of it.
Copyright The LiteRT Authors; licensed under ${license}: https://www.apache.org/licenses/LICENSE-2.0

The rest of this page is part of retrain, under the same licence:

`;
const options = { minify: true, legalComments: "none", target: ["safari16.4", "chrome109", "firefox115"], write: false };

const worker = await build({ ...options, entryPoints: [join(here, "worker.js")], bundle: true, format: "iife" });
// The variant without relaxed SIMD alone: it runs everywhere, and is little slower.
const glue = await build({ ...options, entryPoints: [join(core, "wasm", "litert_wasm_compat_internal.js")] });
const wasm = await readFile(join(core, "wasm", "litert_wasm_compat_internal.wasm"));

const files = {
  "worker.js": worker.outputFiles[0].contents,
  "runtime.js": glue.outputFiles[0].contents,
  "runtime.wasm.gz": gzipSync(wasm, { level: 9 }),
  "LICENCES.txt": LICENCES + (await readFile(join(here, "..", "LICENSE"), "utf8")),
};
const aside = `${target}.new`;
await rm(aside, { recursive: true, force: true });
await mkdir(aside, { recursive: true });
for (const [name, content] of Object.entries(files)) await writeFile(join(aside, name), content);
await rm(target, { recursive: true, force: true });
await rename(aside, target);
for (const [name, content] of Object.entries(files)) console.log(`${name}: ${content.length} bytes`);
