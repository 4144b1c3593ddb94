/**
 * Answers that come whole.
 */
import type { Answer } from "./call.ts";
import { errorOf } from "./errors.ts";
import type { BodyReading } from "./reading.ts";
import { Session } from "./session.ts";
import type { ChatCompletion, WithRequestId } from "./types.ts";

/**
 * The server's own JSON of a completion.
 * @throws {ChatwireError} with `outcome`, when it did not end well
 */
export async function readDocument(
  answer: Answer,
  controller: AbortController,
): Promise<WithRequestId<ChatCompletion>> {
  const session = new Session(answer, controller);
  const outcome = await session.readThrough();
  if (outcome.status !== "complete") throw errorOf(outcome);
  return identified(JSON.parse((session.reading as BodyReading).completion), answer);
}

/** Adds the request's id without changing what the server sent. */
export function identified<T extends object>(value: T, { requestId }: Answer): WithRequestId<T> {
  return Object.defineProperty(value, "_request_id", { value: requestId, configurable: true, writable: true });
}
