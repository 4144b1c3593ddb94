// Node's require(), where it cannot take a module: beside all of the package as CommonJS, which `npm run build` makes in dist/cjs.
// The spare is asked for by import(), which every Node has in CommonJS too.
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { setLoader } = require("../engine/engine.js");

setLoader(
  () => {
    const file = join(__dirname, "../../wasm/chatwire.wasm");
    return Object.assign(readFileSync(file), { url: `file://${file}` });
  },
  () => import("../../wasm/spare.js"),
);

module.exports = require("../index.js");
