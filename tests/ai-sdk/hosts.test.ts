/**
 * `chatwire/ai-sdk` with `ai` itself where its users run it: in workerd, and in a page in Chromium.
 */
import { test } from "node:test";
import { assertSeen, seenInChromium, seenInWorkerd } from "./hosts.ts";
import { run } from "./on-host.ts";

test("in Node", async () => assertSeen(await run()));

test("in workerd", { timeout: 120_000 }, async () => assertSeen(await seenInWorkerd(import.meta.dirname)));

test("in a page in Chromium", { timeout: 120_000 }, async () => assertSeen(await seenInChromium(import.meta.dirname)));
