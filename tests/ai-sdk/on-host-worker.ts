/** A worker that runs the program of on-host.ts. */
import { run } from "./on-host.ts";

export default {
  async fetch(): Promise<Response> {
    return Response.json(await run());
  },
};
