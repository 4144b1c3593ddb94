/**
 * Pages without a bundler, as tests/package/pages.ts has them, in Chromium and in Firefox; those that lead to an answer in WebKitGTK too,
 * whose words for errors are not compared.
 */
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { launchChromium } from "../../chromium.ts";
import { inChromium, inFirefox, type Open, type PageCase, pageCases, titleOf } from "../../package/pages.ts";
import { chromiumVersion, OK, type Setup, versionOf } from "../setup.ts";
import { launchWebKit, webkitVersion } from "./webkit.ts";

const firefox = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const versions: Record<string, () => Promise<string>> = {
  Chromium: chromiumVersion,
  Firefox: () => versionOf(firefox),
  WebKitGTK: webkitVersion,
};

/** Each browser is launched once. Both end with the process. */
const browsers: Record<string, () => Promise<Open>> = {
  Chromium: async () => inChromium(await launchChromium()),
  Firefox: async () => {
    return inFirefox(await puppeteer.launch({ browser: "firefox", executablePath: firefox, headless: true }));
  },
  WebKitGTK: launchWebKit,
};

/** The title that the page has to have: browsers word their errors each in its own way. */
const titleIn = (name: string, page: PageCase): RegExp => (name === "Firefox" && page.titleInFirefox) || page.title;

export const pages: Setup[] = Object.entries(browsers).map(([name, launch]) => {
  let opening: Promise<Open> | undefined;
  return {
    name: `A page in ${name}`,
    version: versions[name],
    tries: Object.fromEntries(
      pageCases
        .filter((page) => name !== "WebKitGTK" || page.title.test(OK))
        .map((page) => [
          page.name,
          async (project) => {
            opening ??= launch();
            const title = await titleOf(page, join(project.folder, "node_modules", "chatwire"), await opening);
            return titleIn(name, page).test(title) ? OK : title;
          },
        ]),
    ),
  };
});
