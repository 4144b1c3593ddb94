/**
 * `npm run bench:voice`: cuts the cases of `tests/fixtures/sentences.json` into sentences with chatwire, sentencex and
 * `Intl.Segmenter`, letter by letter as a stream would bring them, and writes what came of it into `docs/voice.md`. With
 * `--cases`, the bytes of the module stay those of the run before.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
// @ts-expect-error: a script, without types
import { buildElsewhere, buildEngine, shrinking } from "../scripts/engine.mjs";
// @ts-expect-error: a script, without types
import { root, run, target } from "../scripts/run.mjs";

/** Cases of one script. `‖` stands where a sentence ends. */
interface Group {
  script: string;
  locale: string;
  cases: string[];
}

/** How many characters lie before a cut, and how many had come when it was known. */
interface Cut {
  at: number;
  known: number;
}

const CONTENDERS = ["chatwire", "sentencex", "Intl.Segmenter"] as const;
type Contender = (typeof CONTENDERS)[number];
type Cuts = Record<Contender, Cut[][][]>;

const fixture = join(root, "tests", "fixtures", "sentences.json");
const crate = join(root, "bench", "sentences");
const built = join(target, "sentences");
const report = join(root, "docs", "voice.md");
const MARK = "<!-- What follows is written by `npm run bench:voice`. -->\n";

const groups = JSON.parse(readFileSync(fixture, "utf8")) as Group[];

/** The cases that sentencex is tested with: they come with the crate, each as a text, and its sentences a line each. */
async function foreignGroups(): Promise<Group[]> {
  const command = ["metadata", "--format-version=1"];
  const { packages } = JSON.parse(await run("cargo", command, { cwd: crate, capture: true }).then(lastLine));
  const { manifest_path } = packages.find(({ name }: { name: string }) => name === "sentencex");
  const folder = join(dirname(manifest_path), "tests");
  const files = readdirSync(folder).filter((file) => file.endsWith(".txt"));
  return files.map((file) => {
    const lines = readFileSync(join(folder, file), "utf8").split(/\r?\n/);
    const text = lines.filter((line) => !line.trimStart().startsWith("#")).join("\n");
    const cases = text.split("===").flatMap((one) => {
      const [whole, sentences, ...more] = one
        .split("---")
        .map((part) => part.trim())
        .filter(Boolean);
      return whole && sentences && more.length === 0 ? (marked(whole, sentences) ?? []) : [];
    });
    return { script: file, locale: file === "lists.txt" ? "en" : file.replace(".txt", ""), cases };
  });
}

const lastLine = (output: string) => output.trim().split("\n").at(-1) ?? "";

/** The text with `‖` after each of the sentences but the last; nothing where they are not the text. */
function marked(whole: string, sentences: string): string | undefined {
  const bare = (text: string) => text.replace(/\s/g, "");
  const ends = sentences.split("\n").map((line) => bare(line.replaceAll("\\n", "\n")));
  if (ends.join("") !== bare(whole)) return undefined;
  let left = ends.shift()?.length ?? 0;
  let text = "";
  for (const letter of whole) {
    text += letter;
    if (letter.trim()) left -= letter.length;
    if (left === 0 && ends.length > 0 && letter.trim()) {
      text += "‖";
      left = ends.shift()?.length ?? 0;
    }
  }
  return text;
}
const textOf = (marked: string) => marked.replaceAll("‖", "");

/** As many sentences of what has come as certainly are ones: all but the last, which may go on. Then from there. */
function segmented({ locale }: Group, marked: string): Cut[] {
  const segmenter = new Intl.Segmenter(locale, { granularity: "sentence" });
  const letters = [...textOf(marked)];
  const cuts: Cut[] = [];
  let at = 0;
  let open = "";
  for (const [index, letter] of letters.entries()) {
    open += letter;
    const segments = [...segmenter.segment(open)].map(({ segment }) => segment);
    for (const segment of segments.slice(0, -1)) {
      at += [...segment].length;
      cuts.push({ at, known: index + 1 });
    }
    open = segments.at(-1) ?? "";
  }
  return [...cuts, { at: letters.length, known: letters.length }];
}

/**
 * Ends of sentences, by how many characters that are no white space lie before them: nobody hears where the space
 * went.
 */
const solid = (letters: string[], at: number) => letters.slice(0, at).filter((letter) => letter.trim()).length;

function wanted(marked: string): number[] {
  let at = 0;
  return marked.split("‖").map((sentence) => {
    at += [...sentence].filter((letter) => letter.trim()).length;
    return at;
  });
}

interface Verdict {
  isRight: boolean;
  /** Characters after the end of each rightly ended sentence, but the last, before it was given out. */
  delays: number[];
}

function judge(marked: string, cuts: readonly Cut[]): Verdict {
  const letters = [...textOf(marked)];
  const want = wanted(marked);
  const ends = cuts.map((cut) => ({ ...cut, place: solid(letters, cut.at) }));
  const have = [...new Set(ends.map(({ place }) => place))];
  const delays = ends
    .filter(({ place }) => place < Number(want.at(-1)) && want.includes(place))
    .map(({ known, place }) => {
      let last = 0;
      for (let left = place; left > 0; last++) if (letters[last]?.trim()) left--;
      return known - last;
    });
  return { isRight: have.length === want.length && have.every((place, at) => place === want[at]), delays };
}

const mean = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
const table = (head: string[], rows: string[][]) =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
const zipped = (bytes: Uint8Array) => gzipSync(bytes, { level: 9 }).length;
const bytes = (number: number) => `${number.toLocaleString("en")} bytes`;

/**
 * The bytes that the rules add to the module: the module built with them, and with a module in their place that
 * cuts nothing.
 */
async function weight(): Promise<{ own: number; theirs: number }> {
  const folder = join(root, ".cache", "without-sentences");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of ["src", "Cargo.toml", "Cargo.lock"])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  rmSync(join(folder, "src", "stream", "sentences"), { recursive: true });
  cpSync(join(crate, "silent.rs"), join(folder, "src", "stream", "sentences.rs"));
  const without = zipped(await buildElsewhere(folder));
  rmSync(folder, { recursive: true });
  await buildEngine();
  const own = zipped(readFileSync(join(root, "dist", "wasm", "chatwire.wasm"))) - without;

  const wasm = ["--target", "wasm32-unknown-unknown", "--lib"];
  await run("cargo", ["build", "--release", "--quiet", "--target-dir", built, ...wasm], { cwd: crate });
  const module = join(built, "wasm32-unknown-unknown", "release", "sentences.wasm");
  await run("wasm-opt", [module, ...shrinking, "-o", `${module}.small`]);
  return { own, theirs: zipped(readFileSync(`${module}.small`)) };
}

/** The results of each of the three for these cases. */
async function judgeAll(
  groups: readonly Group[],
): Promise<{ all: Record<Contender, Verdict[][]>; sentencexWhole: number[][][] }> {
  const input = join(built, "cases.json");
  writeFileSync(input, JSON.stringify(groups));
  const command = `${JSON.stringify(join(built, "release", "sentences"))} < ${JSON.stringify(input)}`;
  const found = JSON.parse(lastLine(await run("sh", ["-c", command], { capture: true })));
  const cuts: Cuts = {
    chatwire: found.chatwire,
    sentencex: found.sentencex,
    "Intl.Segmenter": groups.map((group) => group.cases.map((marked) => segmented(group, marked))),
  };
  const verdicts = (who: Contender) =>
    groups.map(({ cases }, group) => cases.map((marked, at) => judge(marked, cuts[who][group]?.[at] ?? [])));
  const all = Object.fromEntries(CONTENDERS.map((who) => [who, verdicts(who)])) as Record<Contender, Verdict[][]>;
  return { all, sentencexWhole: found.sentencexWhole };
}

await run("cargo", ["build", "--release", "--quiet", "--target-dir", built], { cwd: crate });
const found = await judgeAll(groups);
const { all } = found;
const theirGroups = await foreignGroups();
const foreign = await judgeAll(theirGroups);
const foreignCount = theirGroups.reduce((sum, { cases }) => sum + cases.length, 0);
const right = (verdicts: readonly Verdict[][]) => verdicts.flat().filter(({ isRight }) => isRight).length;

const count = groups.reduce((sum, { cases }) => sum + cases.length, 0);
const score = (of: readonly Verdict[]) => {
  const delays = of.flatMap(({ delays }) => delays);
  return `${of.filter(({ isRight }) => isRight).length}${delays.length > 0 ? ` · ${mean(delays).toFixed(1)}` : ""}`;
};
const whole = (ends: (group: Group, marked: string, at: [number, number]) => number[]) =>
  groups.reduce(
    (sum, group, index) =>
      sum +
      group.cases.filter((marked, at) => {
        const places = ends(group, marked, [index, at]).map((end) => ({ at: end, known: end }));
        return judge(marked, places).isRight;
      }).length,
    0,
  );
const sentencexWhole = whole((_, __, [group, at]) => found.sentencexWhole[group]?.[at] ?? []);
const segmenterWhole = whole(({ locale }, marked) => {
  let at = 0;
  const segmenter = new Intl.Segmenter(locale, { granularity: "sentence" });
  return [...segmenter.segment(textOf(marked))].map(({ segment }) => {
    at += [...segment].length;
    return at;
  });
});
// `--cases`: the module is not weighed, which takes minutes; its row stays that of the run before.
const isWeighed = !process.argv.includes("--cases");
const weighed = isWeighed ? await weight() : undefined;
const weightBefore = /^\| bytes after gzip \|.*$/m.exec(readFileSync(report, "utf8"))?.[0].split("|") ?? [];
const { version } = JSON.parse(readFileSync(join(root, "node_modules", "node", "package.json"), "utf8"));
const lock = readFileSync(join(crate, "Cargo.lock"), "utf8");
const crateVersion = /name = "sentencex"\nversion = "([^"]+)"/.exec(lock)?.[1];

const sections = [
  "## Compared",
  `Written by \`npm run bench:voice\`; no figure in it is typed by hand. ${count} cases, from \`tests/fixtures/sentences.json\`, come letter by letter. chatwire waits for silence nowhere here. sentencex ${crateVersion} and \`Intl.Segmenter\` (Node ${version}) know whole texts only: they are asked again with each letter, and all of their sentences but the last are taken as given out, as one does who streams with them. The cases were written along with chatwire's rules, so they favour it; those that sentencex is tested with come from its crate, and the rules have learnt from them. A quotation of several sentences is one sentence there, a line break none, here the other way round: a voice should not wait for the end of either.`,
  table(
    ["", ...CONTENDERS],
    [
      ["cases right, streamed", ...CONTENDERS.map((who) => `${right(all[who])} of ${count}`)],
      [
        "cases right, the whole text at once",
        `${right(all.chatwire)} of ${count}`,
        `${sentencexWhole} of ${count}`,
        `${segmenterWhole} of ${count}`,
      ],
      [
        "sentencex's own cases right, streamed",
        ...CONTENDERS.map((who) => `${right(foreign.all[who])} of ${foreignCount}`),
      ],
      [
        "delay: characters after the end of a sentence",
        ...CONTENDERS.map((who) => mean(all[who].flat().flatMap(({ delays }) => delays)).toFixed(1)),
      ],
      weighed
        ? [
            "bytes after gzip",
            `${bytes(weighed.own)} of the engine`,
            `${bytes(weighed.theirs)}, a module of its own`,
            "none: the host's",
          ]
        : weightBefore.slice(1, -1).map((cell) => cell.trim()),
    ],
  ),
  "How many cases of each script are right when streamed, and the mean delay in characters:",
  table(
    ["script", "cases", ...CONTENDERS],
    groups.map(({ script, cases }, group) => [
      script,
      String(cases.length),
      ...CONTENDERS.map((who) => score(all[who][group] ?? [])),
    ]),
  ),
  "Each case, with `‖` where its sentences end:",
  ...groups.map(({ script, cases }, group) =>
    [
      `### ${script}`,
      table(
        ["text", ...CONTENDERS],
        cases.map((marked, at) => [
          `\`${marked.replaceAll("\n", "⏎").replaceAll("|", "\\|")}\``,
          ...CONTENDERS.map((who) => (all[who][group]?.[at]?.isRight ? "right" : "**wrong**")),
        ]),
      ),
    ].join("\n\n"),
  ),
];
const [before] = readFileSync(report, "utf8").split(MARK);
writeFileSync(report, `${before}${MARK}\n${sections.join("\n\n")}\n`);
console.log(sections[2]);
