/** The benchmark inside workerd. Its clock stands still while it works: the CPU time is read from outside. */
import type { Contender } from "./contenders.ts";
import { prepare, run } from "./track.ts";

export default {
  async fetch(request: Request): Promise<Response> {
    const asked = new URL(request.url).searchParams;
    try {
      if (request.method === "POST") {
        const size = asked.get("size") as string;
        await prepare(new Uint8Array(await request.arrayBuffer()), size === "event" ? size : Number(size));
      } else {
        await run(asked.get("contender") as Contender, Number(asked.get("times")));
      }
      return new Response("done");
    } catch (error) {
      return new Response(error instanceof Error ? error.message : String(error), { status: 500 });
    }
  },
};
