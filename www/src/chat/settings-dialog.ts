/** The dialog of the settings, fetched when it is opened. A wrong value is told at its field, in the engine's own words. */
import { Chatwire, InvalidRequestError } from "chatwire";
import { at, button, create } from "../page/dom.ts";
import type { Settings } from "./settings.ts";

interface ParamField {
  name: "temperature" | "top_p" | "max_tokens" | "presence_penalty" | "frequency_penalty" | "seed";
  /** As the services document it. */
  range: string;
  step: number;
}

const PARAMS: readonly ParamField[] = [
  { name: "temperature", range: "0 to 2, 1 by default", step: 0.1 },
  { name: "top_p", range: "0 to 1, 1 by default", step: 0.05 },
  { name: "max_tokens", range: "1 or more", step: 1 },
  { name: "presence_penalty", range: "−2 to 2, 0 by default", step: 0.1 },
  { name: "frequency_penalty", range: "−2 to 2, 0 by default", step: 0.1 },
  { name: "seed", range: "a whole number", step: 1 },
];

/** Shows the dialog, which is drawn the first time. */
export function openSettings(settings: Settings): void {
  const dialog = at<HTMLDialogElement>("settings");
  if (!dialog.hasChildNodes()) draw(dialog, settings);
  if (!dialog.open) dialog.showModal();
}

function draw(dialog: HTMLDialogElement, settings: Settings): void {
  const head = create("div", "head");
  const title = create("h2", "", "Settings");
  title.id = "settings-title";
  head.append(
    title,
    button("Done", "chip", () => dialog.close()),
  );
  const fields = create("div", "fields");
  const system = create("textarea");
  system.rows = 3;
  system.value = settings.kept.system;
  system.addEventListener("input", () => settings.change({ system: system.value }));
  fields.append(labelled("System prompt", system, "", true));
  for (const param of PARAMS) fields.append(paramField(param, settings));
  fields.append(
    checkbox("JSON mode", settings.kept.isJson, (isJson) => settings.change({ isJson })),
    checkbox("Keep to Electron's standard plan", settings.kept.hasLimits, (hasLimits) =>
      settings.change({ hasLimits }),
    ),
  );
  const url = create("input");
  url.type = "url";
  url.placeholder = "http://localhost:11434/v1";
  url.value = settings.kept.baseURL;
  url.addEventListener("change", () => settings.change({ baseURL: url.value.trim() }));
  const why =
    "For the source “Your own server”. This page connects to no other server than its own, unless it was started with npx chatwire demo --connect ORIGIN.";
  fields.append(labelled("Base URL of your own server", url, why, true));
  const key = create("input");
  key.type = "password";
  key.autocomplete = "off";
  key.addEventListener("input", () => settings.useKey(key.value));
  const warning =
    "The key is kept in memory until the page is closed. Every script in a page can read its keys: use one that you can revoke.";
  fields.append(labelled("Key of your own server", key, warning, true));
  dialog.append(head, fields);
}

function paramField({ name, range, step }: ParamField, settings: Settings): HTMLElement {
  const input = create("input");
  input.type = "number";
  input.step = String(step);
  const now = settings.kept.params[name];
  if (typeof now === "number") input.value = String(now);
  const field = labelled(name, input, range);
  const wrong = create("small", "wrong");
  wrong.setAttribute("role", "alert");
  wrong.id = `wrong-${name}`;
  field.append(wrong);
  input.addEventListener("input", async () => {
    const params = { ...settings.kept.params };
    if (input.value === "") delete params[name];
    else params[name] = Number(input.value);
    settings.change({ params });
    const { value } = input;
    const message = value === "" ? "" : await judged(name, Number(value));
    // The visitor has written on meanwhile.
    if (input.value !== value) return;
    wrong.textContent = message;
    input.ariaInvalid = String(message !== "");
    if (message) input.setAttribute("aria-errormessage", wrong.id);
  });
  return field;
}

/** The words of the engine about a value before anything is sent; none where it is fine. */
async function judged(name: string, value: number): Promise<string> {
  const client = new Chatwire({
    provider: "electron",
    baseURL: "https://judge.invalid/v1",
    apiKey: "any",
    maxRetries: 0,
    fetch: async () =>
      Response.json({ choices: [{ index: 0, message: { role: "assistant", content: "" }, finish_reason: "stop" }] }),
  });
  try {
    await client.chat.completions.create({ messages: [{ role: "user", content: "?" }], [name]: value });
  } catch (error) {
    if (error instanceof InvalidRequestError) return error.details.map(({ message }) => message).join(" ");
  }
  return "";
}

function labelled(text: string, control: HTMLElement, help: string, isWide = false): HTMLElement {
  const field = create("label", `field${isWide ? " wide" : ""}`);
  field.append(create("span", "", text), control);
  if (help) field.append(create("small", "", help));
  return field;
}

function checkbox(text: string, isOn: boolean, change: (isOn: boolean) => void): HTMLElement {
  const field = create("label", "field check");
  const box = create("input");
  box.type = "checkbox";
  box.checked = isOn;
  box.addEventListener("change", () => change(box.checked));
  field.append(box, text);
  return field;
}
