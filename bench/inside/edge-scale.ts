/**
 * Durable Objects under load: a limiter, one that does nothing, and one that keeps a log; and who sends them
 * messages.
 */
import { ChatwireLimiter, type DurableNamespace, type LimiterState } from "chatwire/edge";

/** The counts that a cursor knows when it has been read. */
interface Cursor extends Iterable<Record<string, unknown>> {
  rowsRead: number;
  rowsWritten: number;
  toArray(): Record<string, unknown>[];
}
interface State {
  storage: { sql: { exec(query: string, ...values: unknown[]): Cursor } };
}

/** Rows that went to and came from storage. */
const rows = { read: 0, written: 0 };

/** The same state, whose rows are counted. */
function counted({ storage: { sql } }: State): LimiterState {
  const exec = (query: string, ...values: unknown[]) => {
    const cursor = sql.exec(query, ...values);
    const found = cursor.toArray();
    rows.read += cursor.rowsRead;
    rows.written += cursor.rowsWritten;
    return found;
  };
  return { storage: { sql: { exec } } };
}

export class Limiter extends ChatwireLimiter {
  constructor(state: State) {
    super(counted(state));
  }
}

export class Nothing {
  async fetch(request: Request): Promise<Response> {
    return Response.json(typeof (await request.json()));
  }
}

/** Keeps events of a stream, so many in a row of its table. */
export class Log {
  readonly #sql: LimiterState["storage"]["sql"];

  constructor(state: State) {
    this.#sql = counted(state).storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS log (first INTEGER PRIMARY KEY, events BLOB)");
  }

  async fetch(request: Request): Promise<Response> {
    const { events, bytes } = (await request.json()) as { events: number; bytes: number };
    const [last] = this.#sql.exec("SELECT max(first) AS first FROM log");
    const first = Number(last?.first ?? 0) + events;
    this.#sql.exec("INSERT INTO log VALUES (?, ?)", first, new Uint8Array(events * bytes));
    return Response.json({});
  }
}

interface Env {
  Limiter: DurableNamespace;
  Nothing: DurableNamespace;
  Log: DurableNamespace;
}

/** How a load is made. */
export interface Load {
  object: keyof Env;
  /** Messages of one request, one after the other. `ID` in them stands for the request's own name. */
  messages: object[];
  requests: number;
  /** How many at the same time. */
  lanes: number;
  /** Names the object, and its requests. */
  run: string;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { object, messages, requests, lanes, run } = (await request.json()) as Load;
    const texts = messages.map((message) => JSON.stringify(message));
    const namespace = env[object];
    let next = 0;
    const lane = async () => {
      const stub = namespace.get(namespace.idFromName(run) as never);
      for (let id = next++; id < requests; id = next++) {
        for (const text of texts) {
          const body = text.replaceAll("ID", `${run}-${id}`);
          await (await stub.fetch("https://object/", { method: "POST", body })).text();
        }
      }
    };
    const before = { ...rows };
    await Promise.all(Array.from({ length: lanes }, lane));
    return Response.json({ read: rows.read - before.read, written: rows.written - before.written });
  },
};
