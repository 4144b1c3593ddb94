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

const Decoder = orAbsent("TextDecoder", text) as typeof globalThis.TextDecoder;
/** Polyfills decode whole texts alone: fast-text-encoding does. */
const TextDecoder = streamsText(Decoder)
  ? Decoder
  : class extends Decoder {
      #kept: Uint8Array[] = [];

      /** The text of all pieces comes with the last of them. */
      override decode(bytes?: Uint8Array, options?: TextDecodeOptions): string {
        if (bytes) this.#kept.push(bytes);
        if (options?.stream) return "";
        const all = new Uint8Array(this.#kept.reduce((sum, { length }) => sum + length, 0));
        let at = 0;
        for (const piece of this.#kept) {
          all.set(piece, at);
          at += piece.length;
        }
        this.#kept = [];
        return super.decode(all);
      }
    };

/** Also where there is none: an error says so where one is made. */
function streamsText(Kind: typeof globalThis.TextDecoder): boolean {
  if (!host.TextDecoder) return true;
  try {
    new Kind().decode(new Uint8Array(0), { stream: true });
    return true;
  } catch {
    return false;
  }
}

const Encoder = orAbsent("TextEncoder", text) as typeof globalThis.TextEncoder;
/** Polyfills have `encode` alone: fast-text-encoding does. */
const TextEncoder =
  "encodeInto" in Encoder.prototype
    ? Encoder
    : class extends Encoder {
        override encodeInto(text: string, into: Uint8Array): { read: number; written: number } {
          const bytes = this.encode(text);
          into.set(bytes);
          return { read: text.length, written: bytes.length };
        }
      };
const TransformStream = orAbsent("TransformStream", streams);

export { TextDecoder, TextEncoder, TransformStream };
