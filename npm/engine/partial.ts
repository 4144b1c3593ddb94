/**
 * Grows one live JSON value in place by the edits of the engine's `partial` events: no JSON is read here, the host's parser
 * has done that with the output. The meaning of the edits is in the engine's `partial_json` module.
 */

/** The content of one `partial` event of the engine. */
export interface PartialEdits {
  /** The first is of the innermost open place; before each further one that place is closed. */
  edits: readonly unknown[];
  /** From the last edit's place to what this event left open: the name of a member, or 0 for the last element. */
  open: readonly (string | 0)[];
}

/** A container that is known by where it lies, because a string has to be replaced to grow. */
interface Place {
  holder: Record<string | number, unknown>;
  key: string | number;
}

/** One value, from its first character to its last. */
class PartialValue {
  /** The value as its only element; empty until it starts. */
  readonly #root: unknown[] = [];
  readonly #places: Place[] = [{ holder: { list: this.#root }, key: "list" }];

  /** The value so far, the same object or list each time: copy it to keep it. `undefined` until it starts. */
  get value(): unknown {
    return this.#root[0];
  }

  /** Applies one event and gives the value. */
  apply({ edits, open }: PartialEdits): unknown {
    const places = this.#places;
    edits.forEach((edit, at) => {
      if (at > 0) places.pop();
      const { holder, key } = places.at(-1) as Place;
      const place = holder[key];
      if (typeof edit === "string") holder[key] = (place as string) + edit;
      else if (Array.isArray(edit)) for (const element of edit) (place as unknown[]).push(element);
      else for (const [name, member] of Object.entries(edit as object)) set(place as object, name, member);
    });
    for (const step of open) {
      const { holder, key } = places.at(-1) as Place;
      const place = holder[key] as Record<string | number, unknown>;
      places.push({ holder: place, key: step === 0 ? (place as unknown as unknown[]).length - 1 : step });
    }
    return this.value;
  }
}

/** Assigning to `__proto__` would change what the object is; `JSON.parse` makes a member of it. */
function set(object: object, name: string, value: unknown): void {
  if (name !== "__proto__") (object as Record<string, unknown>)[name] = value;
  else Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

/** An event of the engine; the rest of it only where it is a `partial`. */
interface PartialEvent extends PartialEdits {
  type: string;
  choice: number;
  index?: number;
}

/** The values of one stream: of each choice's content, and of the arguments of each tool call. */
export class PartialValues {
  /** Made for the first: most streams have none. */
  #values: Map<string, PartialValue> | undefined;

  /** Puts values in the place of their edits, and the event in the place of a text alone. */
  grow(events: unknown[]): unknown[] {
    return events.map((event) => {
      if (typeof event === "string") return { type: "text", choice: 0, text: event };
      return (event as PartialEvent).type === "partial" ? this.#apply(event as PartialEvent) : event;
    });
  }

  #apply({ type, edits, open, ...where }: PartialEvent): object {
    const key = `${where.choice}:${where.index}`;
    this.#values ??= new Map();
    const value = this.#values.get(key) ?? new PartialValue();
    this.#values.set(key, value);
    return { type, ...where, value: value.apply({ edits, open }) };
  }
}
