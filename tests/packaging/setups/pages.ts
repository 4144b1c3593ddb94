/** Pages without a bundler, as tests/package/pages.ts has them. */
import { join } from "node:path";
import { launchChromium } from "../../chromium.ts";
import { pageCases, titleOf } from "../../package/pages.ts";
import { OK, type Setup } from "../setup.ts";

export const pages: Setup[] = [
  {
    name: "A page in Chromium",
    tries: Object.fromEntries(
      pageCases.map((page) => [
        page.name,
        async (project) => {
          const browser = await launchChromium();
          try {
            const title = await titleOf(page, join(project.folder, "node_modules", "chatwire"), browser);
            return page.title.test(title) ? OK : title;
          } finally {
            await browser.close();
          }
        },
      ]),
    ),
  },
];
