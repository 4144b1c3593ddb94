/**
 * The first view: three clients read one broken stream. The conversation, the inspector and all else are fetched once the
 * page is idle, or when the visitor does something.
 */
import type { App } from "./app.ts";
import { KEPT_ITEM } from "./chat/kept.ts";
import { copy } from "./page/copy.ts";
import { at } from "./page/dom.ts";
import { holdEarlyActs } from "./page/early.ts";
import { whenIdle } from "./page/idle.ts";
import { showColumns } from "./window/columns.ts";

let loading: Promise<App> | undefined;

async function fetched(): Promise<App> {
  try {
    const { start } = await import("./app.ts");
    const app = await start(firstView);
    release();
    return app;
  } catch (error) {
    loading = undefined;
    at("undo").textContent = "The chat could not be fetched. Once you are online, your next key or click tries again.";
    throw error;
  }
}

function load(): Promise<App> {
  loading ??= fetched();
  return loading;
}

const release = holdEarlyActs(() => void load().catch(() => {}));
at("install").addEventListener("click", () => void copy("npm i chatwire", at("install")));
const firstView = showColumns(() => void load().then((app) => app.compareAll()));

/** A visitor of an experiment, and one who was here before, came for the rest of the page. */
function isAwaited(): boolean {
  try {
    return location.hash !== "" || localStorage.getItem(KEPT_ITEM) !== null;
  } catch {
    return false;
  }
}

// On a touch screen, focus would put a keyboard over half of the page. To focus is to lay the page out, which its first frame does.
if (matchMedia("(hover: hover)").matches) {
  requestAnimationFrame(() => {
    if (document.activeElement === document.body) at("message").focus({ preventScroll: true });
  });
}
if (isAwaited()) void load().catch(() => {});
else whenIdle(() => load().catch(() => {}));
