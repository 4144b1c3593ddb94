/**
 * The demo page under load: the longest tasks of its main thread while an answer streams at 500 tokens a second, with the processor
 * as it is and slowed four times; its heap over 200 messages; and, with `-- lighthouse`, what Lighthouse says of it.
 *
 * Tasks are those of a trace, in time of the processor: what other programs do on the machine is none of the page's. Lighthouse is
 * fetched by npx when it is asked for.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type CDPSession, chromium, type Page } from "playwright-core";
import { serveDemo } from "../dist/demo.js";

const CHROME = process.env.CHROME ?? "/usr/bin/chromium";
const LIGHTHOUSE = "lighthouse@13.5.0";
const TOKENS_PER_SECOND = 500;
const MESSAGES = 200;

/** Some of everything that Markdown has, about 120 tokens a round. */
const MARKDOWN = Array.from(
  { length: 40 },
  (_, i) =>
    `## Part ${i}\n\nA paragraph with **bold**, *soft* and \`code\` words, and [a link](https://example.org/${i}).\n\n- one\n- two\n  - three\n\n\`\`\`js\nfor (let i = 0; i < ${i}; i++) console.log(i, "of ${i}"); // ${i}\n\`\`\`\n\n| a | b |\n|---|--:|\n| ${i} | ${i * i} |\n`,
).join("\n");

interface Frame {
  url?: string;
  processId?: number;
}

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  tdur?: number;
  args: { name?: string; data?: Frame & { frames?: Frame[] } };
}

const server = await serveDemo({ port: 0, connect: [] });
const browser = await chromium.launch({
  executablePath: CHROME,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});

async function opened(): Promise<{ page: Page; session: CDPSession }> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  await page.goto(server.url);
  await page.locator(".column.by-hand[data-state=lost]", { hasNotText: "recorded result" }).waitFor();
  return { page, session: await context.newCDPSession(page) };
}

async function ask(page: Page, text: string, count: number): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await send(page, count);
}

/** Sends what is written, and waits for the end of the answer to it. */
async function send(page: Page, count: number): Promise<void> {
  await page.keyboard.press("Enter");
  // A look at the page is a task of its main thread, too: this one is short, and rare.
  const isOver = (answers: number) => {
    const over = document.querySelectorAll(".answer:not([aria-busy])").length === answers;
    return over && document.querySelector("#send:not([hidden])") !== null;
  };
  await page.waitForFunction(isOver, count, { polling: 250 });
}

/** The process that shows the page: the browser's own pages have tasks, too. */
function processOf(events: readonly TraceEvent[]): number {
  const frames = events.flatMap(({ args: { data } }) => [...(data?.frames ?? []), ...(data?.url ? [data] : [])]);
  return frames.findLast(({ url = "", processId }) => processId && url.startsWith(server.url))?.processId ?? Number.NaN;
}

/** The tasks of the page's main thread while `run` runs, in milliseconds of the processor, the longest first. */
async function tasksOf(session: CDPSession, run: () => Promise<void>): Promise<number[]> {
  const events: TraceEvent[] = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  const over = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"] },
  });
  await run();
  await session.send("Tracing.end");
  await over;
  const page = processOf(events);
  const main = new Set(
    events
      .filter(({ name, pid, args }) => name === "thread_name" && args.name === "CrRendererMain" && pid === page)
      .map(({ pid, tid }) => `${pid}/${tid}`),
  );
  const tasks = events.filter(({ name, pid, tid }) => name === "RunTask" && main.has(`${pid}/${tid}`));
  return tasks.map(({ tdur = 0 }) => tdur / 1000).sort((a, b) => b - a);
}

/** The page from its address to the end of the first view. */
async function firstView(rate: number): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 } });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  const session = await context.newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate });
  const tasks = await tasksOf(session, async () => {
    await page.goto(server.url);
    const isOver = () => document.querySelectorAll(".column .label:empty").length === 3;
    await page.waitForFunction(isOver, undefined, { polling: 250 });
    await page.waitForFunction(() => !document.querySelector("[data-state=running]"), undefined, { polling: 250 });
  });
  report("the first view", rate, tasks);
  await context.close();
}

function report(what: string, rate: number, tasks: readonly number[]): void {
  const longest = tasks.slice(0, 3).map((time) => time.toFixed(1));
  const limit = rate === 1 ? 50 : 100;
  const over = tasks.filter((time) => time > limit).length;
  const blocking = tasks.reduce((sum, time) => sum + Math.max(0, time - 50), 0);
  const cells = [what, `${rate}×`, tasks.length, longest.join(", "), `${over} over ${limit}`, Math.round(blocking)];
  console.log(`| ${cells.join(" | ")} |`);
}

/** An answer at full speed; the processor is slowed `rate` times. */
async function stream(rate: number, what: string, text: string): Promise<void> {
  const { page, session } = await opened();
  // The files that are fetched when the page is idle are there, and the question is written.
  await page.waitForTimeout(2000);
  await page.getByLabel("Message", { exact: true }).fill(`${text} [emulator: tps=${TOKENS_PER_SECOND}]`);
  await page.waitForTimeout(2000);
  await session.send("Emulation.setCPUThrottlingRate", { rate });
  const tasks = await tasksOf(session, () => send(page, 1));
  report(what, rate, tasks);
  await page.context().close();
}

async function heap(): Promise<void> {
  const { page, session } = await opened();
  await session.send("Performance.enable");
  for (let message = 2; message <= MESSAGES; message += 2) {
    await ask(
      page,
      `Echo: message ${message}, with **bold** words. And a second sentence. [emulator: tps=0]`,
      message / 2,
    );
    if (message % 50 !== 0) continue;
    await session.send("HeapProfiler.collectGarbage");
    const { metrics } = await session.send("Performance.getMetrics");
    const metric = (name: string) => metrics.find((each) => each.name === name)?.value ?? Number.NaN;
    console.log(`| ${message} | ${(metric("JSHeapUsedSize") / 1e6).toFixed(2)} | ${metric("Nodes")} |`);
  }
  await page.context().close();
}

async function lighthouse(): Promise<void> {
  const { stdout } = await promisify(execFile)(
    "npx",
    [
      ...["--yes", LIGHTHOUSE, server.url, "--quiet", "--output=json", "--output-path=stdout"],
      "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
    ],
    { env: { ...process.env, CHROME_PATH: CHROME }, maxBuffer: 64 * 1024 * 1024 },
  );
  const report = JSON.parse(stdout) as {
    categories: Record<string, { title: string; score: number; auditRefs: { id: string }[] }>;
    audits: Record<string, { title: string; score: number | null; displayValue?: string }>;
  };
  for (const { title, score, auditRefs } of Object.values(report.categories)) {
    const short = auditRefs.flatMap(({ id }) => {
      const audit = report.audits[id];
      return audit && audit.score !== null && audit.score < 0.9 ? [audit.title] : [];
    });
    console.log(`| ${title} | ${Math.round(score * 100)} | ${short.join("; ")} |`);
  }
  for (const id of [
    "first-contentful-paint",
    "largest-contentful-paint",
    "total-blocking-time",
    "cumulative-layout-shift",
  ]) {
    const audit = report.audits[id];
    console.log(`| ${audit?.title} | ${audit?.displayValue} | |`);
  }
}

const [only] = process.argv.slice(2);
if (!only || only === "tasks") {
  console.log(
    "| what | slowed | tasks | the longest, ms of the processor | too long | blocking, ms |\n|---|---|---|---|---|---|",
  );
  for (const rate of [1, 4]) {
    await firstView(rate);
    await stream(rate, "4,000 words", "Write 4000 words");
    await stream(rate, "Markdown", `Echo: ${MARKDOWN}`);
  }
}
if (!only || only === "heap") {
  console.log("\n| messages | heap, MB | nodes |\n|---|---|---|");
  await heap();
}
if (only === "lighthouse") {
  console.log("\n| Lighthouse, mobile | score | what it would like better |\n|---|---|---|");
  await lighthouse();
}
await browser.close();
await server.close();
