/**
 * The two packages side by side: what a program may import, from `openai` and from `chatwire/openai`.
 *
 * A program is written against `openai`'s types. That `chatwire/openai` has the same ones is what types.test-d.ts is for.
 */
const PARTS = {
  main: "",
  streaming: "/streaming",
  error: "/error",
  zod: "/helpers/zod",
  standard: "/helpers/standard-schema",
  completions: "/resources/chat/completions",
} as const;

export interface Library {
  name: string;
  main: typeof import("openai");
  streaming: typeof import("openai/streaming");
  error: typeof import("openai/error");
  zod: typeof import("openai/helpers/zod");
  standard: typeof import("openai/helpers/standard-schema");
  completions: typeof import("openai/resources/chat/completions");
}

async function load(name: string): Promise<Library> {
  const parts = Object.entries(PARTS).map(async ([part, path]) => [part, await import(`${name}${path}`)]);
  return { name, ...Object.fromEntries(await Promise.all(parts)) } as Library;
}

/** Both of them, `openai` first. */
export const libraries: Promise<[Library, Library]> = Promise.all([load("openai"), load("chatwire/openai")]);
