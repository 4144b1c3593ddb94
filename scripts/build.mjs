/**
 * `npm run build`: sets up, then builds what is out of date. The package is importable afterwards.
 */
import { buildEngine } from "./engine.mjs";
import { buildFacade } from "./facade.mjs";
import { buildPage } from "./page.mjs";
import { setup } from "./setup.mjs";

await setup();
await buildEngine();
await buildFacade();
await buildPage();
