/** A chat in React, drawn once a frame at most. */
import type { ChatCompletionMessageParam, ChatStream, Chatwire } from "chatwire";
import { type FormEvent, useRef, useState } from "react";

interface Turn {
  role: "user" | "assistant";
  content: string;
}

/** `client` is a `Chatwire` that a page may have: one of a gateway, such as `new Chatwire({ baseURL: "/v1" })`. */
export function Chat({ client }: { client: Chatwire }) {
  const [turns, setTurns] = useState<readonly Turn[]>([]);
  const [status, setStatus] = useState("ready");
  const running = useRef<ChatStream>(undefined);

  const ask = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const content = String(new FormData(form).get("question"));
    form.reset();
    const asked = [...turns, { role: "user" as const, content }];
    setTurns(asked);
    setStatus("streaming");
    const messages: ChatCompletionMessageParam[] = asked.map((turn) => ({ ...turn }));
    const stream = client.chat.completions.stream({ model: "electron", messages });
    running.current = stream;
    try {
      for await (const { text } of stream.frames()) setTurns([...asked, { role: "assistant", content: text }]);
    } catch {
      // The outcome says why, and has all that arrived.
    }
    const outcome = await stream.outcome();
    if (outcome.text) setTurns([...asked, { role: "assistant", content: outcome.text }]);
    setStatus(outcome.error ? outcome.error.message : outcome.status);
  };

  return (
    <form onSubmit={ask}>
      {turns.map(({ role, content }, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: turns are only ever added at the end
        <p key={at} data-role={role}>
          {content}
        </p>
      ))}
      <input name="question" aria-label="Question" />
      <button type="submit" disabled={status === "streaming"}>
        Ask
      </button>
      <button type="button" onClick={() => running.current?.stop()}>
        Stop
      </button>
      <output>{status}</output>
    </form>
  );
}
