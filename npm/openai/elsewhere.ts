/**
 * The parts that the `openai` package has and this entry does not: everything but chat. They can be looked at, as wrappers do
 * that prepare themselves for all of it; a call names the package to use.
 */
import { OpenAIError } from "./errors.ts";

/** Not here: `chatwire/openai` is for chat. Use the `openai` package for this. */
export interface NotChat<Name extends string> {
  /** For the compiler only. */
  readonly "not in chatwire/openai, use the openai package for": Name;
}

/** @throws {OpenAIError} always: files are not for chat */
export function toFile(..._: unknown[]): Promise<never> {
  return Promise.reject(new OpenAIError(refusal("toFile")));
}

/** @throws {OpenAIError} always: files are not for chat */
export function toStreamingFile(..._: unknown[]): never {
  return refuse("toStreamingFile");
}

/** Not here: use the `openai` package for it. */
export class BedrockOpenAI {
  /** @throws {OpenAIError} always */
  constructor(..._: unknown[]) {
    refuse("BedrockOpenAI");
  }
}

/** @throws {OpenAIError} always, for something that is not here under this name */
export function refuse(name: string): never {
  throw new OpenAIError(refusal(name));
}

function refusal(name: string): string {
  return `${name} is not in chatwire/openai, which is for chat. Use the \`openai\` package for it.`;
}

/** Names that are asked of any object, and are none of ours. */
const FOREIGN = new Set(["then", "toJSON", "constructor", "prototype", "inspect", "nodeType", "asymmetricMatch"]);

/** Something that is not here, under this name. */
export function elsewhere<Name extends string>(name: Name): NotChat<Name> {
  const parts = new Map<PropertyKey, unknown>();
  // A part of the client is an object, as it is in openai; what is in it may be called.
  return new Proxy(name.includes(".") ? () => refuse(`client.${name}`) : {}, {
    get(target, key) {
      if (parts.has(key)) return parts.get(key);
      if (typeof key === "symbol" || FOREIGN.has(key)) return Reflect.get(Object.prototype, key);
      if (key === "name" || key === "length" || key === "call" || key === "apply" || key === "bind") {
        return Reflect.get(target, key);
      }
      const part = elsewhere(`${name}.${key}`);
      parts.set(key, part);
      return part;
    },
    // Wrappers put their own in place.
    set(_, key, value) {
      parts.set(key, value);
      return true;
    },
    defineProperty(_, key, { value }) {
      parts.set(key, value);
      return true;
    },
  }) as unknown as NotChat<Name>;
}

/** The classes of `openai` that are not of chat. */
export const NOT_CHAT = (
  "Admin Audio Batches Beta Completions Containers ContentProvenanceChecks Conversations Decisions Embeddings Evals Files " +
  "FineTuning Graders Images Live Moderations Realtime Responses Safety Skills Uploads VectorStores Videos Webhooks"
).split(" ");

/** The methods that instrumentation looks for. */
const METHODS = "create retrieve update list delete cancel parse stream generate edit createVariation".split(" ");

/** The class of a part that is not here: its methods can be looked at, and changed. */
export function classElsewhere(name: string): () => never {
  const Class = () => refuse(name);
  const part = `${name[0]?.toLowerCase()}${name.slice(1)}`;
  const methods = METHODS.map((method) => [method, () => refuse(`client.${part}.${method}`)]);
  return Object.assign(Class, { prototype: Object.fromEntries(methods) });
}
