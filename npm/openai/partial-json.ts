/**
 * JSON that is not complete yet, as far as it goes: strings grow, numbers wait until they are over.
 */

const LITERALS: [string, unknown][] = [
  ["null", null],
  ["true", true],
  ["false", false],
];

/** There is no value yet. */
const NOTHING = Symbol("nothing");

/**
 * The value so far.
 * @throws {SyntaxError} it does not begin like JSON
 */
export function parsePartial(text: string): unknown {
  const last = text.trimEnd().at(-1);
  if (last === "}" || last === "]") {
    try {
      return JSON.parse(text);
    } catch {
      // The text ends inside something.
    }
  }
  const reader = new Reader(text.trim());
  const value = reader.value();
  return value === NOTHING ? JSON.parse(text) : value;
}

class Reader {
  readonly #text: string;
  #at = 0;
  /** The text has run out, or cannot be read on. */
  #isOver = false;

  constructor(text: string) {
    this.#text = text;
  }

  value(): unknown {
    this.#skip();
    const next = this.#text[this.#at];
    if (next === undefined) return this.#stop();
    if (next === '"') return this.#string();
    if (next === "{") return this.#object();
    if (next === "[") return this.#array();
    const rest = this.#text.slice(this.#at, this.#at + 5);
    for (const [word, value] of LITERALS) {
      if (rest.startsWith(word) || word.startsWith(rest)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#number();
  }

  #stop(): typeof NOTHING {
    this.#isOver = true;
    return NOTHING;
  }

  #skip(): void {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  #string(): unknown {
    const text = this.#text;
    const start = this.#at++;
    while (this.#at < text.length && text[this.#at] !== '"') this.#at += text[this.#at] === "\\" ? 2 : 1;
    if (this.#at < text.length) {
      this.#at++;
      return this.#read(text.slice(start, this.#at));
    }
    this.#isOver = true;
    const whole = this.#read(`${text.slice(start)}"`);
    // The text may end within an escape.
    return whole === NOTHING ? this.#read(`${text.slice(start, text.lastIndexOf("\\"))}"`) : whole;
  }

  #number(): unknown {
    const start = this.#at;
    while (this.#at < this.#text.length && !",]}".includes(this.#text[this.#at] as string)) this.#at++;
    if (this.#at === this.#text.length) return this.#stop(); // more digits may come
    return this.#read(this.#text.slice(start, this.#at));
  }

  #read(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      return this.#stop();
    }
  }

  #object(): object {
    const object: Record<string, unknown> = {};
    this.#at++;
    while (!this.#isOver) {
      this.#skip();
      const next = this.#text[this.#at];
      if (next === "}") {
        this.#at++;
        break;
      }
      if (next !== '"') break;
      const key = this.#string();
      this.#skip();
      this.#at++;
      const value = this.#isOver ? NOTHING : this.value();
      if (value === NOTHING) break;
      Object.defineProperty(object, key as string, { value, enumerable: true, configurable: true, writable: true });
      this.#skip();
      if (this.#text[this.#at] === ",") this.#at++;
    }
    this.#isOver ||= this.#at >= this.#text.length;
    return object;
  }

  #array(): unknown[] {
    const array: unknown[] = [];
    this.#at++;
    while (!this.#isOver) {
      this.#skip();
      if (this.#text[this.#at] === "]") {
        this.#at++;
        break;
      }
      const value = this.value();
      if (value === NOTHING) break;
      array.push(value);
      this.#skip();
      if (this.#text[this.#at] === ",") this.#at++;
    }
    this.#isOver ||= this.#at >= this.#text.length;
    return array;
  }
}
