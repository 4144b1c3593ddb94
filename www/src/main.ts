/** The chat page: ties what the user does to the conversation, and the conversation to what they see. */
import type { ChatCompletionMessageParam, Chatwire } from "chatwire";
import { adviceFor } from "./advice.ts";
import { AnswerView, userTurn } from "./answer.ts";
import { exchange } from "./exchange.ts";
import { Follower } from "./follow.ts";
import { EXAMPLES } from "./prompts.ts";
import { CHOICES, type Choice, clientFor, fetchProviders } from "./providers.ts";
import { canSpeak } from "./speech.ts";

const TOKEN_ITEM = "chatwire-access-token";

const at = <Kind extends HTMLElement>(id: string) => document.getElementById(id) as Kind;
const provider = at<HTMLSelectElement>("provider");
const model = at<HTMLInputElement>("model");
const clock = at<HTMLInputElement>("clock");
const voice = at<HTMLInputElement>("voice");
const message = at<HTMLTextAreaElement>("message");
const send = at<HTMLButtonElement>("send");
const stop = at<HTMLButtonElement>("stop");
const log = at("log");
const welcome = at("welcome");
const status = at("status");
const follower = new Follower(at("scroller"), at("latest"));

let messages: ChatCompletionMessageParam[] = [];
let running: AbortController | null = null;
let clients = new Map<Choice, Chatwire>();

// ---- Asking ---------------------------------------------------------------------------------------------------------

function ask(text: string): void {
  if (running || !text.trim()) return;
  message.value = "";
  fit();
  welcome.hidden = true;
  messages.push({ role: "user", content: text.trim() });
  log.append(userTurn(text.trim()));
  follower.toEnd();
  void answer();
}

async function answer(): Promise<void> {
  const controller = new AbortController();
  const conversation = messages;
  const length = conversation.length;
  const view = new AnswerView(() => follower.grown());
  log.append(view.element);
  run(controller);
  try {
    const choice = chosen();
    const question = {
      client: clientOf(choice),
      model: model.value.trim() || (choice.models[0] ?? ""),
      withClock: clock.checked,
      isSpoken: voice.checked,
    };
    await exchange({ ...question, signal: controller.signal }, conversation, view);
    if (controller.signal.aborted) {
      view.note(question.isSpoken ? "Interrupted. The chat goes on from what you heard." : "Stopped.");
    } else if (view.isEmpty) view.note("The answer is empty.");
    if (running === controller) status.textContent = controller.signal.aborted ? "Stopped." : "The answer is complete.";
  } catch (error) {
    status.textContent = "";
    view.fail(adviceFor(error), (token) => {
      if (running) return;
      if (token) useToken(token);
      // What was kept of the failed answer would be asked to continue, not to be whole.
      conversation.length = length;
      view.element.remove();
      void answer();
    });
  } finally {
    view.finish();
    if (running === controller) run(null);
    showEngine();
  }
}

function run(controller: AbortController | null): void {
  running = controller;
  const hadFocus = document.activeElement === stop || document.activeElement === document.body;
  send.hidden = controller !== null;
  stop.hidden = controller === null;
  if (controller) status.textContent = "Answering.";
  if (hadFocus) message.focus();
}

function newChat(): void {
  running?.abort();
  run(null);
  messages = [];
  log.replaceChildren();
  welcome.hidden = false;
  status.textContent = "New chat.";
  follower.toEnd();
  message.focus();
}

/** How much WebAssembly the answers come through, as the browser has measured it. */
function showEngine(): void {
  const loaded = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
  const wasm = loaded.filter(({ name }) => new URL(name).pathname.endsWith(".wasm"));
  const bytes = wasm.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0);
  if (bytes) at("engine").textContent = `${bytes.toLocaleString("en")} bytes of WebAssembly`;
}

// ---- Providers ------------------------------------------------------------------------------------------------------

function chosen(): Choice {
  return CHOICES.find(({ id }) => id === provider.value) ?? (CHOICES[0] as Choice);
}

/** Says in the picker which providers are emulated. Gives the server's default one. */
async function showProviders(): Promise<string | undefined> {
  const known = await fetchProviders(sessionStorage.getItem(TOKEN_ITEM)).catch(() => []);
  for (const option of provider.options) {
    const choice = CHOICES.find(({ id }) => id === option.value);
    const isEmulated = known.find(({ id }) => id === choice?.provider)?.emulated;
    option.textContent = `${choice?.label}${isEmulated ? " (emulated)" : ""}`;
  }
  return known[0]?.id;
}

/** The visitor chose a provider: what the server would have preset comes too late. */
let isPicked = false;

async function offerProviders(): Promise<void> {
  provider.append(...CHOICES.map(({ id, label }) => new Option(label, id)));
  showModels();
  const preset = await showProviders();
  const choice = CHOICES.find((each) => each.provider === preset);
  if (!choice || isPicked || messages.length > 0) return;
  provider.value = choice.id;
  showModels();
}

function showModels(): void {
  const { models } = chosen();
  model.hidden = models.length < 2;
  model.value = models[0] ?? "";
  at("models").replaceChildren(...models.map((name) => new Option(name)));
}

/** One client per choice, so that all its requests share what it has learned of its server. */
function clientOf(choice: Choice): Chatwire {
  const client = clients.get(choice) ?? clientFor(choice, sessionStorage.getItem(TOKEN_ITEM));
  clients.set(choice, client);
  return client;
}

function useToken(token: string): void {
  sessionStorage.setItem(TOKEN_ITEM, token);
  clients = new Map();
  void showProviders();
}

// ---- Keyboard and buttons -------------------------------------------------------------------------------------------

/** Lets the field grow with what is written, up to the height its style allows. */
function fit(): void {
  message.style.height = "auto";
  message.style.height = `${message.scrollHeight}px`;
}

message.addEventListener("input", fit);
message.addEventListener("keydown", (key) => {
  // An Enter that ends the composition of a character is not one that sends.
  if (key.key !== "Enter" || key.shiftKey || key.isComposing) return;
  key.preventDefault();
  ask(message.value);
});
document.addEventListener("keydown", (key) => {
  if (key.key === "Escape") running?.abort();
});
at("composer").addEventListener("submit", (submit) => {
  submit.preventDefault();
  ask(message.value);
});
stop.addEventListener("click", () => running?.abort());
at("new-chat").addEventListener("click", newChat);
voice.addEventListener("change", () => {
  if (!voice.checked) speechSynthesis.cancel();
});
// A browser would go on speaking to nobody.
addEventListener("pagehide", () => running?.abort());
provider.addEventListener("change", () => {
  isPicked = true;
  showModels();
});

at("examples").append(
  ...EXAMPLES.map(({ lang, name, prompt, withClock }) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    const label = document.createElement("span");
    label.textContent = name;
    const words = document.createElement("q");
    words.textContent = prompt;
    for (const element of [label, words]) {
      element.lang = lang;
      element.dir = "auto";
    }
    button.append(label, words);
    button.addEventListener("click", () => {
      if (withClock) clock.checked = true;
      ask(prompt);
    });
    item.append(button);
    return item;
  }),
);

at("speaks").hidden = !canSpeak;

// On a touch screen, focus would put a keyboard over half of the page.
if (matchMedia("(hover: hover)").matches) message.focus();
void offerProviders();
