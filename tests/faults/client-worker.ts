/** A client in workerd: asks what it is told to ask, and says what came of it. */
import * as chatwire from "chatwire";
import { ask } from "./asking.ts";

export default {
  fetch: async (request: Request): Promise<Response> => Response.json(await ask(chatwire, await request.json())),
};
