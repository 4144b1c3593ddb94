/**
 * Trouble on request: each kind does what its documentation says, and a wish that cannot be read is refused.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createEmulator } from "../../npm/emulator/index.ts";
import { parseTrouble } from "../../npm/emulator/trouble.ts";
import { added, ask, type Chunk, chunks, complete, dataOf, type ErrorBody, says, testClock } from "./emulator-ask.ts";

/** The raw bytes of a stream, and how it ended. */
async function raw(
  trouble: string,
  question = "Count to 20",
  emulator = createEmulator({ clock: testClock() }), // `created` must not differ from one reading to the next
): Promise<{ reads: number[]; text: string; bytes: Uint8Array; error?: unknown }> {
  const response = await ask(emulator, { ...says(question), stream: true }, { trouble });
  const reader = response.body?.getReader();
  const reads: number[] = [];
  const all: number[] = [];
  const end = (error?: unknown) => {
    const bytes = new Uint8Array(all);
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    return { reads, text, bytes, ...(error === undefined ? {} : { error }) };
  };
  try {
    for (;;) {
      const { value, done } = (await reader?.read()) ?? { value: undefined, done: true };
      if (done || !value) return end();
      reads.push(value.length);
      all.push(...value);
    }
  } catch (error) {
    return end(error);
  }
}

const plain = await raw("");

test("error statuses come in the service's envelope, with the wait that was named", async () => {
  const emulator = createEmulator();
  for (const status of [400, 401, 403, 408, 429, 500, 502, 503]) {
    const response = await ask(emulator, {}, { trouble: `status=${status}` });
    assert.equal(response.status, status);
    assert.ok(((await response.json()) as ErrorBody).error.message);
    assert.equal(response.headers.get("retry-after"), status === 429 ? "1" : null);
  }
  const named = await ask(
    emulator,
    {},
    { trouble: "status=429; retry-after=Wed, 21 Oct 2026 07:28:00 GMT; retry-after-ms=12; should-retry=false" },
  );
  assert.equal(named.headers.get("retry-after"), "Wed, 21 Oct 2026 07:28:00 GMT");
  assert.equal(named.headers.get("retry-after-ms"), "12");
  assert.equal(named.headers.get("x-should-retry"), "false");
  assert.equal((await ask(emulator, {}, { trouble: "status=429; retry-after=none" })).headers.get("retry-after"), null);
});

test("times counts requests with the same wish", async () => {
  const emulator = createEmulator();
  const status = async (trouble: string): Promise<number> => (await ask(emulator, {}, { trouble })).status;
  assert.deepEqual(
    [await status("status=503; times=2"), await status("status=503; times=2"), await status("status=503; times=2")],
    [503, 503, 200],
  );
  assert.equal(await status("status=503; times=2; id=other"), 503);
});

test("trouble is asked for by header, message, or option, in this order", async () => {
  const emulator = createEmulator({ trouble: ({ number }) => (number <= 3 ? "status=500" : undefined) });
  assert.equal((await ask(emulator, {})).status, 500);
  assert.equal((await ask(emulator, says("Echo: hi [emulator: status=502]"))).status, 502);
  assert.equal((await ask(emulator, says("Echo: hi [emulator: status=502]"), { trouble: "status=503" })).status, 503);
  const answered = await complete(emulator, says("[emulator: bytewise] Echo: hi"));
  assert.equal(answered.choices[0]?.message.content, "hi", "the model does not see the words");
  assert.equal((await ask(createEmulator({ trouble: "status=418" }), {})).status, 418);
  assert.equal((await ask(createEmulator({ trouble: { status: 418 } }), {})).status, 418);
});

test("the hook sees what was sent", async () => {
  let seen: unknown;
  const emulator = createEmulator({
    trouble(request) {
      seen = { ...request, headers: request.headers.get("authorization") };
      return undefined;
    },
  });
  await ask(emulator, { ...says("Hi"), extra: { kept: true } });
  assert.deepEqual(seen, {
    number: 1,
    method: "POST",
    path: "/waves/v1/chat/completions",
    headers: "Bearer a-key",
    body: { model: "electron", ...says("Hi"), extra: { kept: true } },
  });
});

test("a wish that cannot be read is refused with the list of what is known", async () => {
  for (const wish of ["bogus", "status=200", "status=abc", "cut=-1", "malformed=maybe", "bytewise=no", "constructor"]) {
    assert.throws(() => parseTrouble(wish), RangeError, wish);
    const response = await ask(createEmulator(), {}, { trouble: wish });
    assert.equal(response.status, 400);
  }
  assert.match(
    ((await (await ask(createEmulator(), {}, { trouble: "bogus" })).json()) as ErrorBody).error.message,
    /bogus.*stall/,
  );
  assert.throws(() => createEmulator({ trouble: "bogus" }), RangeError);
});

test("cut ends the body after so many bytes, reset breaks it there", async () => {
  for (const at of [0, 1, 120, 500]) {
    const cut = await raw(`cut=${at}`);
    assert.equal(cut.text, plain.text.slice(0, at));
    assert.equal(cut.error, undefined);
    const reset = await raw(`reset=${at}`);
    assert.equal(reset.text, plain.text.slice(0, at));
    assert.ok(reset.error instanceof TypeError);
  }
  assert.equal((await raw("cut=10000000")).text, plain.text);
});

test("a stall is silence until the caller leaves", async () => {
  const emulator = createEmulator();
  const left = new AbortController();
  const response = await ask(
    emulator,
    { ...says("Count to 20"), stream: true },
    { trouble: "stall=300", signal: left.signal },
  );
  const reader = response.body?.getReader();
  let bytes = 0;
  while (bytes < 300) bytes += (await reader?.read())?.value?.length ?? 0;
  assert.equal(bytes, 300);
  const silent = reader?.read();
  let settled = false;
  silent?.then(
    () => (settled = true),
    () => (settled = true),
  );
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(settled, false);
  left.abort();
  await assert.rejects(async () => silent, { name: "AbortError" });
  assert.equal(emulator.ledger.records[0]?.aborted, true);
});

test("keep-alive comments break the silence between two events, at their interval", async () => {
  const clock = testClock();
  const response = await ask(
    createEmulator({ clock }),
    { ...says("Count to 20"), stream: true },
    { trouble: "stall=700; keepalive=5000" },
  );
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const next = async (): Promise<string> => decoder.decode((await reader?.read())?.value);
  for (let piece = ""; !piece.startsWith(":"); ) text += piece = await next();
  assert.ok(text.length <= 700 + 20);
  assert.match(text, /\n\n: keep-alive\n\n$/);
  assert.equal(await next(), ": keep-alive\n\n");
  assert.deepEqual(clock.slept.slice(0, 2), [5000, 5000]);
  await reader?.cancel();
});

test("bytewise and pieces cut reads, not content", async () => {
  const bytewise = await raw("bytewise");
  assert.equal(bytewise.text, plain.text);
  assert.ok(bytewise.reads.every((size) => size === 1));
  const pieces = await raw("pieces=100");
  assert.equal(pieces.text, plain.text);
  assert.ok(pieces.reads.slice(0, -1).every((size) => size === 100));
  assert.equal(
    (await complete(createEmulator(), says("Echo: नमस्ते"), { trouble: "bytewise" })).choices[0]?.message.content,
    "नमस्ते",
  );
});

test("a malformed chunk stands in the middle and costs no content", async () => {
  const kinds: [kind: string, is: (data: string) => boolean][] = [
    ["json", (data) => data.startsWith("{") && !parses(data)],
    ["text", (data) => !data.startsWith("{") && !parses(data)],
    ["array", (data) => Array.isArray(JSON.parse(data))],
    ["number", (data) => data === "42"],
    ["null", (data) => data === "null"],
    ["utf8", (data) => data.includes("\ufffd")],
  ];
  for (const [kind, is] of kinds) {
    const data = dataOf((await raw(`malformed=${kind}`)).text);
    const odd = data.filter((each) => each !== "[DONE]" && is(each));
    assert.equal(odd.length, 1, kind);
    const at = data.indexOf(odd[0] ?? "");
    assert.ok(at > 3 && at < data.length - 3, `${kind} at ${at} of ${data.length}`);
    data.splice(at, 1);
    assert.equal(data.join("\n"), dataOf(plain.text).join("\n"), kind);
  }
  const response = await ask(createEmulator(), {}, { trouble: "malformed" });
  assert.equal(parses(await response.text()), false);
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test("an error inside the stream ends it", async () => {
  const { text } = await raw("in-band-error");
  const data = dataOf(text);
  const last = JSON.parse(data.at(-1) ?? "") as ErrorBody;
  assert.equal(last.error.type, "upstream_error");
  assert.ok(data.length > 10);
  assert.match((await raw("in-band-error=event")).text, /\n\nevent: error\ndata: \{"error"[^\n]+\n\n$/);
});

test("the end may lack its parts, or give another reason", async () => {
  assert.equal(dataOf((await raw("no-done")).text).includes("[DONE]"), false);
  const unfinished = dataOf((await raw("no-finish")).text)
    .slice(0, -1)
    .map((each) => JSON.parse(each) as Chunk);
  assert.equal(added(unfinished).finish, null);
  const filtered = { trouble: "finish=content_filter" };
  assert.equal(added(await chunks(createEmulator(), {}, filtered)).finish, "content_filter");
  assert.equal((await complete(createEmulator(), {}, filtered)).choices[0]?.finish_reason, "content_filter");
});

test("a lingering connection stays open after [DONE], and the caller has not left early", async () => {
  const emulator = createEmulator();
  const response = await ask(emulator, { ...says("Echo: hi"), stream: true }, { trouble: "linger" });
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  for (let text = ""; !text.includes("[DONE]"); ) text += decoder.decode((await reader?.read())?.value);
  let settled = false;
  void reader?.read().then(() => (settled = true));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(settled, false);
  await reader?.cancel();
  assert.equal(emulator.ledger.records[0]?.aborted, false);
});

test("framing varies as asked", async () => {
  assert.equal((await raw("crlf")).text, plain.text.replaceAll("\n", "\r\n"));
  assert.equal((await raw("cr")).text, plain.text.replaceAll("\n", "\r"));
  assert.equal((await raw("bom")).text, `\ufeff${plain.text}`);
  assert.equal((await raw("comments")).text.replaceAll(": keep-alive\n\n", ""), plain.text);
  assert.ok((await raw("comments")).text.startsWith(": keep-alive\n\ndata: "));
});

test("surrogate halves arrive in two deltas and add up", async () => {
  const all = await chunks(createEmulator(), says("Echo: so 😀😃"), { trouble: "surrogates" });
  const parts = all.map((chunk) => chunk.choices[0]?.delta.content).filter(Boolean);
  assert.deepEqual(parts, ["so", " \ud83d", "\ude00", "\ud83d", "\ude03"]);
  assert.equal(added(all).message.content, "so 😀😃");
});

test("parallel tool calls interleave when asked", async () => {
  const tool = {
    type: "function",
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  };
  const body = { ...says("What's the weather in Mumbai and Pune?"), tools: [tool] };
  const order = async (trouble: string): Promise<string> =>
    (await chunks(createEmulator(), body, { trouble }))
      .flatMap((chunk) => chunk.choices[0]?.delta.tool_calls?.map((call) => call.index) ?? [])
      .join("");
  assert.match(await order(""), /^0+1+$/);
  assert.match(await order("interleave"), /^0101/);
  const together = added(await chunks(createEmulator(), body, { trouble: "interleave" })).message.tool_calls;
  assert.deepEqual(
    together?.map((call) => JSON.parse(call.function.arguments)),
    [{ city: "Mumbai" }, { city: "Pune" }],
  );
});

test("something else comes in place of the stream", async () => {
  const emulator = createEmulator();
  const get = (trouble: string, stream = true): Promise<Response> =>
    ask(emulator, { ...says("Echo: hi"), stream }, { trouble });
  const html = await get("html");
  assert.equal(html.status, 200);
  assert.match(html.headers.get("content-type") ?? "", /text\/html/);
  assert.match(await html.text(), /^<!doctype html>/);
  assert.equal((await get("html; status=502")).status, 502);
  assert.equal(await (await get("text; status=503")).text(), "upstream connect error");
  assert.equal((await get("empty")).body, null);
  const json = await get("as-json");
  assert.equal(json.headers.get("content-type"), "application/json");
  assert.ok(parses(await json.text()));
  const sse = await get("as-sse", false);
  assert.match(sse.headers.get("content-type") ?? "", /text\/event-stream/);
  assert.equal(dataOf(await sse.text()).at(-1), "[DONE]");
});

test("the connection may fail, and headers may be slow", async () => {
  const clock = testClock();
  const emulator = createEmulator({ clock });
  await assert.rejects(ask(emulator, {}, { trouble: "refuse; times=1" }), TypeError);
  assert.equal(emulator.ledger.records[0]?.status, 0);
  assert.equal(emulator.ledger.records[0]?.aborted, false);
  const before = clock.time;
  await ask(emulator, { stream: true }, { trouble: "slow-headers=2500" });
  assert.equal(clock.time - before, 2500);
});

test("one request may have its own pace", async () => {
  const clock = testClock();
  const emulator = createEmulator({ clock });
  const before = clock.time;
  await complete(emulator, says("Echo: one two three"), { trouble: "ttft=1000; tps=4" });
  assert.equal(clock.time - before, 1000 + 2 * 250);
});
