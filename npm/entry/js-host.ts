/**
 * Globals that React Native's hosts may lack. `npm run build` puts these in the place of the globals, in `chatwire/js` alone: its
 * script can be loaded wherever none of them is used, and where one is, the error names it.
 */

// For await loops, which compilers make of the symbol.
if (Symbol.asyncIterator === undefined) {
  Object.defineProperty(Symbol, "asyncIterator", { value: Symbol("Symbol.asyncIterator") });
}

const host = globalThis as unknown as Record<string, unknown>;

/** The global, else a class that says that it is missing. */
function orAbsent(name: string, remedy: string): unknown {
  return (
    host[name] ??
    class {
      constructor() {
        throw new Error(`This host has no ${name}, which chatwire needs here: ${remedy}, before chatwire is imported.`);
      }
    }
  );
}

const text = 'npm install fast-text-encoding, and import "fast-text-encoding"';
const streams = 'npm install web-streams-polyfill, and import "web-streams-polyfill/polyfill"';

const TextDecoder = orAbsent("TextDecoder", text);
const TextEncoder = orAbsent("TextEncoder", text);
const TransformStream = orAbsent("TransformStream", streams);

export { TextDecoder, TextEncoder, TransformStream };
