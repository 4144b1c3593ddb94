/** The first view's stream, as the inspector shows it. */
import { type Fetch, init } from "chatwire";
import type { WireLog } from "../inspector/lines.ts";
import { tap } from "../sources/tap.ts";

/** Shows the stream's bytes on the wire. */
export async function showOnWire(log: WireLog, stream: Fetch): Promise<void> {
  await init();
  const headers = new Headers();
  const listener = log.forOne();
  const { fetch } = tap(stream, listener);
  const { body } = await fetch("/v1/chat/completions", { method: "POST", headers });
  const reader = body?.getReader();
  while (reader && !(await reader.read()).done);
  listener.ended("complete");
}
