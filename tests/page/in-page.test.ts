/** The `fetch` to the server in the page's worker, with a port between them that delivers late. */
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import type { Answered } from "../../www/src/worker/post.ts";

// The bundler makes an address of the worker. Here it is never started: the test speaks in its place.
registerHooks({
  resolve: (specifier, context, next) =>
    specifier.endsWith("?worker&url")
      ? { url: "data:text/javascript,export default '/page.worker-0.js'", shortCircuit: true }
      : next(specifier, context),
});

/** The page's end of the port: keeps the messages of the page. The test delivers the worker's, after `close` too. */
class LatePort {
  static last: LatePort;
  onmessage: ((event: { data: Answered }) => void) | null = null;
  readonly asked: unknown[] = [];
  constructor() {
    LatePort.last = this;
  }
  postMessage(message: unknown): void {
    this.asked.push(message);
  }
  close(): void {}
  deliver(data: Answered): void {
    this.onmessage?.({ data });
  }
}

class LateChannel {
  readonly port1 = new LatePort();
  readonly port2 = {};
}

class SilentWorker {
  postMessage(): void {}
}

test("bytes_that_come_after_the_request_was_left_are_let_go", async (context) => {
  const { MessageChannel, Worker } = globalThis;
  Object.assign(globalThis, { MessageChannel: LateChannel, Worker: SilentWorker });
  context.after(() => void Object.assign(globalThis, { MessageChannel, Worker }));
  const { fetchInPage } = await import("../../www/src/sources/in-page.ts");

  for (const leave of ["abort", "cancel"] as const) {
    const over = new AbortController();
    const answering = fetchInPage("/waves/v1/chat/completions", {
      method: "POST",
      headers: new Headers(),
      body: "{}",
      signal: over.signal,
    });
    const port = LatePort.last;
    port.deliver({ head: { status: 200, headers: [], hasBody: true } });
    const reader = (await answering).body?.getReader();
    const reading = reader?.read();
    port.deliver({ bytes: new Uint8Array([1, 2, 3]) });
    assert.equal((await reading)?.value?.length, 3);
    const next = reader?.read().catch((error: unknown) => error);
    if (leave === "abort") {
      over.abort(new Error("left"));
      assert.equal(String(await next), "Error: left");
    } else await reader?.cancel();
    for (const late of [{ bytes: new Uint8Array([4]) }, { end: true }, { failed: "late" }] as Answered[])
      assert.doesNotThrow(() => port.deliver(late), `${JSON.stringify(late)} after ${leave}`);
    assert.deepEqual(port.asked, ["pull", "pull", "leave"]);
  }
});
