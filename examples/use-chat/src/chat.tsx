/** A conversation with `useChat` and `ChatwireTransport`. */
import { useChat } from "@ai-sdk/react";
import type { UIMessage } from "ai";
import { ChatwireTransport } from "chatwire/ai-sdk";
import { type FormEvent, useEffect, useRef } from "react";
import { restore, save } from "./conversation.ts";

const transport = new ChatwireTransport({ client: { baseURL: "/v1" }, model: "electron" });

export function Chat() {
  const { messages, sendMessage, status, stop, error } = useChat({
    id: "conversation",
    transport,
    messages: restore(),
    resume: true,
  });
  const input = useRef<HTMLInputElement>(null);
  const isBusy = status === "submitted" || status === "streaming";

  useEffect(() => save(messages, isBusy), [messages, isBusy]);

  const send = (event: FormEvent) => {
    event.preventDefault();
    const text = input.current?.value ?? "";
    if (text === "" || isBusy) return;
    sendMessage({ text });
    if (input.current) input.current.value = "";
  };

  return (
    <>
      <ol>
        {messages.map((message) => (
          <li key={message.id} data-role={message.role}>
            <Message message={message} />
          </li>
        ))}
      </ol>
      {error && <p role="alert">{error.message}</p>}
      <form onSubmit={send}>
        <input ref={input} aria-label="Message" />
        <button type="submit" disabled={isBusy}>
          Send
        </button>
        <button type="button" disabled={!isBusy} onClick={() => stop()}>
          Stop
        </button>
      </form>
      <output>{status}</output>
    </>
  );
}

function Message({ message }: { message: UIMessage }) {
  return message.parts.map((part, at) => {
    // Parts are only ever added at the end.
    // biome-ignore lint/suspicious/noArrayIndexKey: they have no other name
    if (part.type === "reasoning") return <small key={at}>{part.text}</small>;
    // biome-ignore lint/suspicious/noArrayIndexKey: they have no other name
    return part.type === "text" ? <p key={at}>{part.text}</p> : null;
  });
}
