/** Six experiments, each with an address of its own. They do what a visitor could do by hand. */
import { at, create } from "../page/dom.ts";

/** The actions of an experiment in the page. */
export interface Bench {
  /** Takes a source, by its id. */
  use(source: string): void;
  tools(isOn: boolean): void;
  speak(isOn: boolean): void;
  /** Asks, and waits for the end of the answer. */
  ask(text: string): Promise<void>;
  /** Resolves once an answer under way has so many characters, or is over. */
  written(length: number): Promise<void>;
  /** Cuts the connection under way, for a time in milliseconds. */
  cut(downFor: number): void;
  /** Opens a tab of the inspector. */
  inspect(tab: "wire" | "trouble"): void;
  /** Compares the three clients on a trouble, by the emulator's name for it. */
  compare(trouble: string): void;
  /** Opens the race, and starts it. */
  race(): void;
}

interface Experiment {
  id: string;
  strong: string;
  rest: string;
  run(bench: Bench): Promise<void> | void;
}

const EXPERIMENTS: readonly Experiment[] = [
  {
    id: "cut",
    strong: "Cut",
    rest: "the connection",
    async run(bench) {
      bench.use("page-gateway");
      bench.inspect("wire");
      const answered = bench.ask("Tell me a story");
      await bench.written(120);
      bench.cut(1500);
      await answered;
    },
  },
  {
    id: "break",
    strong: "Break",
    rest: "the stream",
    async run(bench) {
      bench.use("page");
      bench.inspect("trouble");
      bench.compare("malformed=json");
      await bench.ask("Tell me a story [emulator: malformed=json]");
    },
  },
  {
    id: "race",
    strong: "Race",
    rest: "three clients",
    run(bench) {
      bench.race();
    },
  },
  {
    id: "tool",
    strong: "Call",
    rest: "a tool",
    async run(bench) {
      bench.use("page");
      bench.inspect("wire");
      bench.tools(true);
      await bench.ask("What time is it in Pune, and can you set the dark theme?");
    },
  },
  {
    id: "speak",
    strong: "Speak,",
    rest: "and interrupt",
    async run(bench) {
      bench.use("page");
      bench.speak(true);
      await bench.ask("Tell me a story");
    },
  },
  {
    id: "scripts",
    strong: "हिन्दी · العربية",
    rest: "· 日本語",
    async run(bench) {
      bench.use("page");
      for (const question of ["आसमान नीला क्यों दिखता है?", "احكِ لي قصة قصيرة.", "海辺の町の短い物語を話してください。"]) {
        await bench.ask(question);
      }
    },
  },
];

/** Whether the address names one. */
export const isExperiment = (): boolean => EXPERIMENTS.some(({ id }) => location.hash === `#${id}`);

/** Offers the experiments, and runs the one that the address names. */
export function offerExperiments(bench: Bench): void {
  const run = (id: string) => {
    const experiment = EXPERIMENTS.find((each) => each.id === id);
    if (experiment) void experiment.run(bench);
  };
  at("experiments").append(
    ...EXPERIMENTS.map(({ id, strong, rest }) => {
      const item = create("li");
      const link = create("a", "chip");
      link.href = `#${id}`;
      link.append(create("strong", "", strong), ` ${rest}`);
      link.addEventListener("click", (click) => {
        click.preventDefault();
        history.replaceState(null, "", `#${id}`);
        run(id);
      });
      item.append(link);
      return item;
    }),
  );
  addEventListener("hashchange", () => run(location.hash.slice(1)));
  run(location.hash.slice(1));
}
