/**
 * Answers that come whole.
 */
import type { BodyDecoder } from "../engine/decoder.ts";
import { completed, define } from "../errors.ts";
import type { Answer } from "../request/answer.ts";
import type { ChatCompletion, WithRequestId } from "../types.ts";
import { readThrough } from "./iterator.ts";
import { Session } from "./session.ts";

/**
 * The server's own JSON of a completion.
 * @throws {ChatwireError} with `outcome`, when it did not end well
 */
export async function readDocument(
  answer: Answer,
  controller: AbortController,
): Promise<WithRequestId<ChatCompletion>> {
  const session = new Session(answer, controller);
  const outcome = await completed(readThrough(session));
  const completion = (session.decoder as BodyDecoder).completion as WithRequestId<ChatCompletion>;
  return define(define(completion, "_request_id", outcome.requestId), "_outcome", outcome);
}
