/** Bundles the page into `www/dist`, which the worker serves. Imports of `chatwire` find the built package above. */
import { defineConfig, type Plugin } from "vite";

/** The page has the engine's file beside it: the spare engine is for bundles that have lost that file. */
const withoutSpare = (): Plugin => ({
  name: "without-spare",
  enforce: "pre",
  resolveId: (id) => (id.endsWith("/wasm/spare.js") ? "\0without-spare" : undefined),
  load: (id) => (id === "\0without-spare" ? 'export default "";' : undefined),
});

/** Indentation is for readers of the source: 118 bytes of the first view, after gzip. */
const withoutIndentation = (): Plugin => ({
  name: "without-indentation",
  transformIndexHtml: { order: "post", handler: (html) => html.replace(/\n +/g, "\n") },
});

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  cacheDir: "../node_modules/.cache/vite-www",
  plugins: [withoutSpare(), withoutIndentation()],
  worker: { format: "es", plugins: () => [withoutSpare()] },
  build: {
    target: "es2022",
    // The wasm must stay a file: as a data: URL it could neither be compiled while it loads nor pass the page's CSP.
    assetsInlineLimit: 0,
    modulePreload: false,
    // Bundling the worker takes most of the time; that is no warning.
    rolldownOptions: { checks: { bundlerTimings: false } },
  },
});
