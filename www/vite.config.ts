/** Bundles the page into `www/dist`, which the worker serves. Imports of `chatwire` find the built package above. */
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  cacheDir: "../node_modules/.cache/vite-www",
  worker: { format: "es" },
  build: {
    target: "es2022",
    // The wasm must stay a file: as a data: URL it could neither be compiled while it loads nor pass the page's CSP.
    assetsInlineLimit: 0,
    modulePreload: false,
    // Bundling the worker takes most of the time; that is no warning.
    rolldownOptions: { checks: { bundlerTimings: false } },
  },
});
