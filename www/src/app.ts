/**
 * The page below its first view: ties what the visitor does to the conversation, and the conversation to what is seen of it.
 * Fetched when the page is idle.
 */
import "./style/later.css";
import "./style/chat.css";
import "./style/inspector.css";
import { ChatStream, init, type UsageTotals } from "chatwire";
import { offerConversations } from "./chat/conversations.ts";
import { Follower } from "./chat/follow.ts";
import type { Progress } from "./chat/progress.ts";
import { Settings } from "./chat/settings.ts";
import { type QuestionSettings, Talk } from "./chat/talk.ts";
import handwritten from "./compare/handwritten.ts?raw";
import { sparkOf } from "./inspector/chart.ts";
import { Inspector, type TabName } from "./inspector/inspector.ts";
import { showRecorded } from "./inspector/recorded.ts";
import { entries, type Held, totalsOf } from "./inspector/totals.ts";
import { WireTab } from "./inspector/wire.ts";
import { warmUpRenderer } from "./markdown/markdown.ts";
import { at, button } from "./page/dom.ts";
import { idle, nextTask } from "./page/idle.ts";
import { warmUp } from "./sources/in-page.ts";
import { SOURCES, type Source } from "./sources/list.ts";
import { type Connection, connect, fetchProviders } from "./sources/sources.ts";
import { offerListening } from "./voice/listen.ts";
import { canSpeak } from "./voice/speech.ts";
import type { FirstView } from "./window/columns.ts";
import { isExperiment, offerExperiments } from "./window/experiments.ts";
import { showOnWire } from "./window/wired.ts";

const MINUTE = 60_000;
const TOKEN_ITEM = "chatwire-access-token";
/** Longer messages have the most height that their field may have: to measure them takes long. */
const MOST_MEASURED = 20_000;
/** The same holds for messages of more lines: the time grows faster than their number. */
const MOST_LINES_MEASURED = 100;

const picker = at<HTMLSelectElement>("source");
const model = at<HTMLInputElement>("model");
const tools = at<HTMLInputElement>("tools");
const voice = at<HTMLInputElement>("voice");
const message = at<HTMLTextAreaElement>("message");
const send = at<HTMLButtonElement>("send");
const stop = at<HTMLButtonElement>("stop");
const follower = new Follower(at("scroller"), at("latest"));

// ---- The inspector --------------------------------------------------------------------------------------------------

let lastStream: ChatStream | undefined;
let program = "";
const onOpened: { [Tab in TabName]?: () => void } = {};

const wire = new WireTab(
  saveRecording,
  (file) => void openRecording(file),
  (log) => {
    at("spark").firstElementChild?.setAttribute("points", sparkOf(log));
  },
);

const lazy = {
  trouble: once(async () => new (await import("./inspector/trouble.ts")).TroubleTab(askWith)),
  race: once(async () => new (await import("./inspector/race.ts")).RaceTab()),
  cost: once(async () => new (await import("./inspector/cost.ts")).CostTab()),
  code: once(async () => new (await import("./inspector/code.ts")).CodeTab()),
};

const inspector = new Inspector((tab, panel) => {
  if (tab === "wire") panel.append(wire.element);
  else {
    void lazy[tab]().then(({ element }) => {
      panel.append(element);
      onOpened[tab]?.();
    });
  }
});
let isCostShown = false;
onOpened.cost = () => {
  isCostShown = true;
  showCost();
};
let isCodeShown = false;
onOpened.code = () => {
  isCodeShown = true;
  showProgram();
};

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function showCost(): void {
  sent = sent.filter((time) => time > Date.now() - MINUTE);
  const recent = sent.length;
  const totals = totalsOf(usages(), recent);
  inspector.foot.replaceChildren(...entries(totals.slice(0, 4)));
  if (isCostShown) void lazy.cost().then((tab) => tab.update(totals, recent, held));
}

function showProgram(): void {
  if (program && isCodeShown) void lazy.code().then((tab) => tab.update(program));
}

async function saveRecording(): Promise<void> {
  const recording = await lastStream?.recording().catch(() => undefined);
  if (!recording) return offerUndo("There is no recording yet: ask something first.");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([recording], { type: "text/plain" }));
  link.download = "answer.chatwire";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function openRecording(file: File): Promise<void> {
  const text = await file.text();
  await init();
  if (talk.isBusy()) return;
  await showRecorded(text, wire.log);
  talk.replay(file.name, () => ChatStream.fromRecording(text));
}

// ---- Sources --------------------------------------------------------------------------------------------------------

const settings = new Settings(() => connections.clear());
let connections = new Map<Source, Connection>();
/** The totals of earlier clients, when others have taken their place. */
const spent: UsageTotals[] = [];
/** When requests went out in the last minute, in milliseconds since 1970. */
let sent: number[] = [];
/** Why a request is held back, and until when, in milliseconds since 1970. */
let held: Held | undefined;
let current: Progress | undefined;
/** How many characters the answer under way has. */
let answered = 0;
/** The length of the answer that an experiment waits for. */
let awaited = { length: Number.POSITIVE_INFINITY, reached: () => {} };

const chosen = (): Source => SOURCES.find(({ id }) => id === picker.value) ?? (SOURCES[0] as Source);

function usages(): UsageTotals[] {
  return [...spent, ...[...connections.values()].map(({ client }) => client.usage)];
}

/** One client for each source, so that all its requests share what it has learned of its server. */
function connectionTo(source: Source, isFresh: boolean): Connection {
  const known = connections.get(source);
  if (known && !isFresh) return known;
  if (known) spent.push(known.client.usage);
  const access = { token: accessToken(), own: settings.own, hasLimits: settings.hasLimits };
  const connection = connect(source, access, wire.log, {
    onRequest: (request) => {
      current?.hooks.onRequest(request);
      sent.push(Date.now());
      held = undefined;
      showCost();
      // The gauge forgets what is a minute old.
      setTimeout(showCost, MINUTE + 10);
    },
    onResponse: (response) => current?.hooks.onResponse(response),
    onRetry: (retry) => current?.hooks.onRetry(retry),
    onWait: (wait) => {
      current?.hooks.onWait(wait);
      held = { reason: wait.reason, until: Date.now() + wait.delay };
      showCost();
    },
    onResume: (resume) => current?.hooks.onResume(resume),
    onResumed: (resumed) => current?.hooks.onResumed(resumed),
  });
  connections.set(source, connection);
  return connection;
}

/** The server's access token of this visit. A browser that keeps nothing has it until the page is closed. */
function accessToken(given?: string): string | null {
  token = given ?? token;
  try {
    if (given) sessionStorage.setItem(TOKEN_ITEM, given);
    return token ?? sessionStorage.getItem(TOKEN_ITEM);
  } catch {
    return token ?? null;
  }
}

let token: string | undefined;
let isPicked = false;

async function offerSources(): Promise<void> {
  const known = await fetchProviders(accessToken()).catch(() => []);
  const emulated = new Map(known.map(({ id, emulated }) => [id, emulated]));
  const groups = new Map<string, HTMLOptGroupElement>();
  const before = picker.value;
  for (const { id, label, group, provider } of SOURCES) {
    if (group === "This page's server" && !emulated.has(provider ?? "")) continue;
    const box = groups.get(group) ?? document.createElement("optgroup");
    box.label = group;
    groups.set(group, box);
    const isEmulated = group === "This page's server" && emulated.get(provider ?? "");
    box.append(new Option(`${label}${isEmulated ? " (emulated)" : ""}`, id));
  }
  picker.replaceChildren(...groups.values());
  // A server with a key of its own is asked first.
  const real = known.find((each) => !each.emulated);
  if (isPicked) picker.value = before;
  else if (real)
    picker.value =
      SOURCES.find(({ provider, group }) => provider === real.id && group === "This page's server")?.id ?? "page";
  showModels();
}

function showModels(): void {
  const { models } = chosen();
  model.hidden = models.length < 2;
  model.value = models[0] ?? "";
  at("models").replaceChildren(...models.filter(Boolean).map((name) => new Option(name)));
}

function use(id: string): void {
  picker.value = id;
  isPicked = true;
  showModels();
}

// ---- The conversation -----------------------------------------------------------------------------------------------

const talk = new Talk({
  log: at("log"),
  settingsOf(progress, isFresh): QuestionSettings {
    current = progress;
    const source = chosen();
    answered = 0;
    wire.log.clear();
    return {
      client: connectionTo(source, isFresh).client,
      params: { model: model.value.trim() || (source.models[0] ?? ""), ...settings.params },
      system: settings.system,
      withTools: tools.checked,
    };
  },
  isSpoken: () => voice.checked,
  running(isRunning) {
    const hadFocus = document.activeElement === stop || document.activeElement === document.body;
    send.hidden = isRunning;
    stop.hidden = !isRunning;
    if (hadFocus && matchMedia("(hover: hover)").matches) message.focus();
  },
  grown: () => follower.grown(),
  changed: ({ turns }) => {
    at("welcome").hidden = turns.length > 0;
    follower.toEnd();
  },
  asked: (asked) => {
    at("sheet-state").textContent = "answering …";
    const question = talk.conversation.turns.at(-1)?.question ?? "";
    void import("./inspector/program.ts").then(({ programOf }) => {
      program = programOf(chosen(), asked, question, voice.checked);
      showProgram();
    });
  },
  opened: (stream) => {
    lastStream = stream;
  },
  event: (event) => {
    if (event.type === "text") answered += event.text.length;
    if (answered >= awaited.length) awaited.reached();
  },
  ended: (status) => {
    awaited.reached();
    held = undefined;
    wire.log.ended(status);
    at("sheet-state").textContent = status;
    showCost();
  },
  useToken(token) {
    accessToken(token);
    connections = new Map();
    void offerSources();
  },
  edit(text) {
    message.value = text;
    fit();
    message.focus();
  },
  code: () => inspector.open("code"),
  undoable: offerUndo,
});

async function ask(text: string): Promise<void> {
  if (!talk.ask(text)) return;
  await talk.idle();
}

/** Asks with tools or without, as the box then says. */
function askWith(text: string, hasTools: boolean): void {
  if (talk.isBusy()) return;
  tools.checked = hasTools;
  void ask(text);
}

function offerUndo(what: string, undo?: () => void): void {
  const line = at("undo");
  clearTimeout(undoTimer);
  line.replaceChildren(what);
  const clear = () => line.replaceChildren();
  if (undo) {
    line.append(
      button("Undo", "chip small", () => {
        clear();
        undo();
        // The button is gone, and the focus with it.
        message.focus();
      }),
    );
  }
  undoTimer = setTimeout(clear, 15_000);
}

let undoTimer: ReturnType<typeof setTimeout> | undefined;

// ---- Keyboard and buttons -------------------------------------------------------------------------------------------

/** Lets the field grow with what is written, up to the height its style allows. */
function fit(): void {
  const lines = message.value.split("\n", MOST_LINES_MEASURED + 1).length;
  const isShort = message.value.length < MOST_MEASURED && lines <= MOST_LINES_MEASURED;
  message.style.height = isShort ? "auto" : "100vh";
  // To find the direction of each paragraph takes longer still: that of the first words must do.
  message.dir = isShort ? "auto" : /[\u0590-\u08ff]/.test(message.value.slice(0, 100)) ? "rtl" : "ltr";
  if (isShort) message.style.height = `${message.scrollHeight}px`;
}

function submit(): void {
  const text = message.value;
  if (!talk.ask(text)) return;
  message.value = "";
  fit();
}

/** Hears the keyboard, the buttons, and files that are dropped. */
function listen(): void {
  message.addEventListener("input", () => {
    fit();
    // A visitor who writes has heard enough.
    if (talk.isSpeaking) talk.stop();
  });
  message.addEventListener("keydown", (key) => {
    // An Enter that ends the composition of a character is not one that sends.
    if (key.key !== "Enter" || key.shiftKey || key.isComposing) return;
    key.preventDefault();
    submit();
  });
  document.addEventListener("keydown", (key) => {
    if (key.key === "Escape" && !document.querySelector("dialog[open]")) talk.stop();
  });
  at("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  stop.addEventListener("click", () => talk.stop());
  at("show-settings").addEventListener("click", async () => {
    const { openSettings } = await import("./chat/settings-dialog.ts");
    openSettings(settings);
  });
  at("new-chat").addEventListener("click", () => {
    talk.show();
    message.focus();
  });
  voice.addEventListener("change", () => {
    if (!voice.checked) talk.mute();
  });
  // The browser would go on speaking after the page is gone.
  addEventListener("pagehide", () => talk.stop());
  picker.addEventListener("change", () => use(picker.value));
  at("speaks").hidden = !canSpeak;
  addEventListener("dragover", (drag) => drag.preventDefault());
  addEventListener("drop", (drop) => {
    drop.preventDefault();
    const [file] = drop.dataTransfer?.files ?? [];
    if (file) void openRecording(file);
  });
  offerListening(at("listen"), {
    heard(text, isFinal) {
      message.value = text;
      fit();
      if (isFinal) submit();
    },
    spoke: () => talk.isSpeaking && talk.stop(),
  });
}

/** The requests of the first view to the rest of the page. */
export interface App {
  /** Compares the clients in all troubles. */
  compareAll(): void;
}

function compareAll(): void {
  inspector.open("trouble");
  void lazy.trouble().then((tab) => tab.runAll());
}

/** Puts the page to work, in steps between which it answers its visitor. */
export async function start(firstView: FirstView): Promise<App> {
  firstView.lines.textContent = handwritten;
  offerConversations(talk);
  await nextTask();
  listen();
  showCost();
  await nextTask();
  // The wire of the first view is for those who see it: on a phone, once the sheet is up.
  if (!isExperiment())
    inspector.onceSeen(
      () => talk.conversation.turns.length === 0 && firstView.watch((stream) => showOnWire(wire.log, stream)),
    );
  const sourced = offerSources().then(offerWhatNeedsSources);
  void settleIn();
  await sourced;
  return { compareAll };
}

async function offerWhatNeedsSources(): Promise<void> {
  // A page that is opened again goes on where it was.
  const [latest] = isExperiment() ? [] : await import("./chat/store.ts").then(({ list }) => list()).catch(() => []);
  if (latest && talk.conversation.turns.length === 0) talk.show(latest);
  offerExperiments({
    use,
    tools: (isOn) => (tools.checked = isOn),
    speak: (isOn) => (voice.checked = isOn && canSpeak),
    ask,
    written: (length) =>
      new Promise((reached) => {
        awaited = { length, reached };
      }),
    cut: (downFor) => connections.get(chosen())?.line.cut(downFor),
    inspect: (tab) => inspector.choose(tab),
    compare: (trouble) => void lazy.trouble().then((tab) => tab.run(trouble)),
    race: () => {
      // On a phone there is nothing else to see of it.
      inspector.open("race");
      void lazy.race().then((tab) => tab.run());
    },
  });
}

/** Fetches what the next acts of a visitor need. One after the other, so that each is short. */
async function settleIn(): Promise<void> {
  await idle();
  await init().catch(() => {});
  await idle();
  await warmUpRenderer().catch(() => {});
  await idle();
  warmUp();
  // They are there when the network is not.
  await Promise.allSettled([
    import("./chat/exchange.ts"),
    import("./chat/advice.ts"),
    import("./chat/settings-dialog.ts"),
    import("./inspector/program.ts"),
  ]);
}
