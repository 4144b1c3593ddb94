/** Values that `authorize` and the options' function return in place of a grant and of options. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gateway } from "chatwire/edge";
import { CHAT, chat, DONE, setUp, streamOf } from "./setting.ts";

describe("what is no grant, and what are no options", () => {
  it("are said by name in the log", async (context) => {
    const { mock } = context.mock.method(console, "error", () => {});
    const said = () => mock.calls.map(({ arguments: [...words] }) => words.join(" "));
    for (const grant of [null, undefined, false]) {
      const { fetch } = setUp(async () => streamOf([DONE]), { authorize: () => grant as never });
      assert.equal((await fetch(CHAT, chat("a"))).status, 401);
    }
    assert.deepEqual(said(), []);
    for (const grant of [true, "alice", {}, { caller: 1 }]) {
      const { fetch } = setUp(async () => streamOf([DONE]), { authorize: () => grant as never });
      assert.equal((await fetch(CHAT, chat("a"))).status, 401);
      assert.match(said().at(-1) ?? "", /authorize gave no grant/);
    }
    for (const options of [null, undefined, 5]) {
      const app = gateway((() => options) as never);
      assert.equal((await app.fetch(new Request(`http://localhost${CHAT}`, chat("a")))).status, 500);
      assert.match(said().at(-1) ?? "", /options is an object/);
    }
  });
});
