/** The settings of the conversation: prompt, parameters, format, and a server of the visitor's own. */
import type { ChatCompletionCreateParamsBase } from "chatwire";

type Params = Omit<ChatCompletionCreateParamsBase, "messages">;

/** Kept for the next visit. The key is not among it. */
export interface Kept {
  system: string;
  params: Params;
  isJson: boolean;
  hasLimits: boolean;
  baseURL: string;
}

const ITEM = "chatwire-settings";
const DEFAULTS: Kept = { system: "", params: {}, isJson: false, hasLimits: false, baseURL: "" };

export class Settings {
  #kept: Kept = read();
  /** In memory only. */
  #key = "";
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get kept(): Kept {
    return this.#kept;
  }

  get system(): string {
    return this.#kept.system;
  }

  get hasLimits(): boolean {
    return this.#kept.hasLimits;
  }

  get own(): { baseURL: string; key: string } {
    return { baseURL: this.#kept.baseURL || "/v1", key: this.#key };
  }

  /** The parameters that are sent beside messages and model. */
  get params(): Params {
    return { ...this.#kept.params, ...(this.#kept.isJson && { response_format: { type: "json_object" } }) };
  }

  /** Keeps what was changed, for the next visit too. */
  change(change: Partial<Kept>): void {
    this.#kept = { ...this.#kept, ...change };
    try {
      localStorage.setItem(ITEM, JSON.stringify(this.#kept));
    } catch {
      // A browser that keeps nothing keeps these until the page is closed.
    }
    this.#onChange();
  }

  /** Takes a key for the visitor's own server. */
  useKey(key: string): void {
    this.#key = key;
    this.#onChange();
  }
}

function read(): Kept {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(ITEM) ?? "{}") as Partial<Kept>) };
  } catch {
    return DEFAULTS;
  }
}
