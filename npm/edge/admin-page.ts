/**
 * `GET /admin`: a page that shows usage, limits and requests under way, and changes nothing. The page holds no data itself: it
 * calls the gateway's own API with a token that its reader enters, and drops the token when it is closed.
 */

const CSS = `
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { margin: 1.5rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
form { display: flex; gap: .5rem; flex-wrap: wrap; align-items: end; }
label { display: grid; gap: .2rem; font-size: .85rem; }
input, button { font: inherit; padding: .3rem .5rem; }
div { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8884; padding: .25rem .6rem .25rem 0; text-align: left; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
[role=status] { min-height: 1.4em; }
`;

const SCRIPT = `
const find = (id) => document.getElementById(id);
const token = find("token"), status = find("status"), from = find("from"), to = find("to");
const day = (time) => new Date(time).toISOString().slice(0, 10);
to.value = day(Date.now());
from.value = day(Date.now() - 6 * 86400000);
const dollars = (cost) => (cost === null || cost === undefined ? "–" : "$" + Number(cost.toFixed(6)));
const tagsOf = (tags) => Object.entries(tags ?? {}).map((pair) => pair.join(":")).join(" ");
const seconds = (ms) => Math.round(ms / 1000) + " s";
const restOf = (rest) => (rest ? rest.left + " of " + rest.limit : "–");

async function ask(path) {
  const response = await fetch(path, { headers: { authorization: "Bearer " + token.value.trim() }, cache: "no-store" });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error?.message ?? "The gateway answered " + response.status + ".");
  return body;
}

function fill(id, columns, rows) {
  const table = document.createElement("table");
  const line = (cells, kind) => {
    const row = document.createElement("tr");
    for (const [at, cell] of cells.entries()) {
      const element = row.appendChild(document.createElement(kind));
      element.textContent = String(cell);
      if (kind === "th") element.scope = "col";
      if (columns[at][1]) element.className = "number";
    }
    return row;
  };
  table.createTHead().append(line(columns.map(([name]) => name), "th"));
  table.createTBody().append(...rows.map((cells) => line(cells, "td")));
  find(id).replaceChildren(rows.length > 0 ? table : "Nothing.");
}

const by = (rows, keys) => {
  const sums = new Map();
  for (const row of rows) {
    const names = keys(row), key = JSON.stringify(names);
    const sum = sums.get(key) ?? { names, requests: 0, prompt: 0, completion: 0, cost: null };
    sum.requests += row.requests;
    sum.prompt += row.promptTokens;
    sum.completion += row.completionTokens;
    if (row.cost !== null) sum.cost = (sum.cost ?? 0) + row.cost;
    sums.set(key, sum);
  }
  return [...sums.values()].map(({ names, requests, prompt, completion, cost }) => [...names, requests, prompt, completion, dollars(cost)]);
};
const NUMBERS = [["requests", true], ["prompt tokens", true], ["answer tokens", true], ["cost", true]];

async function show() {
  if (token.value.trim() === "") return;
  status.textContent = "Loading …";
  try {
    const rows = [];
    for (let after = ""; after !== null; ) {
      const query = new URLSearchParams({ from: from.value, to: to.value, ...(after && { after }) });
      const page = await ask("/v1/usage?" + query);
      rows.push(...page.data);
      after = page.next;
    }
    fill("callers", [["caller"], ["tags"], ...NUMBERS], by(rows, (row) => [row.caller, tagsOf(row.tags)]));
    fill("models", [["model"], ...NUMBERS], by(rows, (row) => [row.model]));
    fill("days", [["day"], ...NUMBERS], by(rows, (row) => [row.day]));
    const { data } = await ask("/v1/limits");
    fill(
      "limits",
      [["of"], ["name"], ["under way", true], ["waiting", true], ["requests left", true], ["tokens left", true], ["budget left", true], ["spent today", true]],
      data.map(({ kind, name, live, waiting, left, spent }) => [kind, name, live.length, waiting, restOf(left.requests), restOf(left.tokens), left.cost ? dollars(left.cost.left) : "–", dollars(spent.day)]),
    );
    const live = new Map();
    for (const entry of data) for (const one of entry.live) live.set(one.id, { ...one, provider: entry.kind === "provider" ? entry.name : live.get(one.id)?.provider });
    fill(
      "live",
      [["caller"], ["model"], ["provider"], ["for", true]],
      [...live.values()].map((one) => [one.caller ?? "–", one.model ?? "–", one.provider || "–", seconds(one.age)]),
    );
    status.textContent = "As of " + new Date().toLocaleTimeString() + ".";
  } catch (error) {
    status.textContent = error.message;
  }
}

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});
setInterval(() => {
  if (find("again").checked && document.visibilityState === "visible") show();
}, 5000);
`;

const HTML = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Gateway</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/admin/page.css">
<script type="module" src="/admin/page.js"></script>
<main>
<h1>Gateway</h1>
<form id="form">
<label>Token <input id="token" type="password" autocomplete="off" spellcheck="false" required></label>
<label>From <input id="from" type="date" required></label>
<label>To <input id="to" type="date" required></label>
<button>Show</button>
<label><span>Every 5 s</span> <input id="again" type="checkbox"></label>
</form>
<p id="status" role="status"></p>
<h2>Requests under way</h2><div id="live"></div>
<h2>Limits</h2><div id="limits"></div>
<h2>Usage by caller</h2><div id="callers"></div>
<h2>Usage by model</h2><div id="models"></div>
<h2>Usage by day</h2><div id="days"></div>
</main>
</html>
`;

const FILES: Readonly<Record<string, readonly [type: string, text: string]>> = {
  "/admin": ["text/html; charset=utf-8", HTML],
  "/admin/page.css": ["text/css; charset=utf-8", CSS],
  "/admin/page.js": ["text/javascript; charset=utf-8", SCRIPT],
};

/** The page's paths. */
export const ADMIN_PATHS: readonly string[] = Object.keys(FILES);

/** Allows nothing of another origin, no inline script or style, no frames and no forms that the browser submits. */
const POLICY = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src data:"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"],
].join("; ");

/** One of the page's files. */
export function adminFile(path: string): Response {
  const [type, text] = FILES[path] as readonly [string, string];
  return new Response(text, {
    headers: {
      "content-type": type,
      "content-security-policy": POLICY,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
    },
  });
}
