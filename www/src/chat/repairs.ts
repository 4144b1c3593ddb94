/** Repairs, in words. The codes and what is done are in `docs/dialects.md`. */

const WORDS: Readonly<Record<string, string>> = {
  "chunk.malformed": "One event was broken JSON and was skipped. The rest is kept.",
  "chunk.not_an_object": "One event was JSON, but no chunk, and was skipped. The rest is kept.",
  "framing.unfinished_event": "The last event was not closed, and was read all the same.",
  "framing.invalid_utf8": "One event was not UTF-8. The rest of it was read all the same.",
  "end.no_done": "The stream ended without [DONE], after its finish reason: the answer is whole.",
  "end.no_finish_reason": "The stream said [DONE] without any finish reason.",
  "body.json": "The server sent one JSON document in place of a stream. The document was read all the same.",
  "body.event_stream": "The server sent a stream in place of one JSON document. The stream was read all the same.",
  "tool_call.finish_reason": "The server gave another finish reason than tool_calls. The tools were called.",
};

/** The end of the same stream with the other clients of the first view, as `npm run compare` has it. */
const OTHERS: Readonly<Record<string, string>> = {
  "chunk.malformed": "openai and the 25 lines by hand end here, with an error",
  "body.json": "openai and the 25 lines by hand show nothing here, as if all were well",
};

/** The words for a repair, and its code. */
export function nameOfRepair(code: string): [text: string, detail: string] {
  const others = OTHERS[code];
  return [
    WORDS[code] ?? "The server did something differently, and the client put it right.",
    others ? `${code} · ${others}` : code,
  ];
}
