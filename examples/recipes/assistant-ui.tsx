/** assistant-ui straight to a gateway: its runtime for the AI SDK, with chatwire's transport. */
import { AssistantRuntimeProvider, ComposerPrimitive, MessagePrimitive, ThreadPrimitive } from "@assistant-ui/react";
import { useChatRuntime } from "@assistant-ui/react-ai-sdk";
import { ChatwireTransport, type ChatwireTransportOptions } from "chatwire/ai-sdk";
import { useMemo } from "react";

/** `client` is a `Chatwire` of a gateway, or its options, such as `{ baseURL: "/v1" }`. */
export function Assistant({ client }: Pick<ChatwireTransportOptions, "client">) {
  const transport = useMemo(() => new ChatwireTransport({ client, model: "electron" }), [client]);
  const runtime = useChatRuntime({ transport });
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <ThreadPrimitive.Root>
        <ThreadPrimitive.Messages components={{ UserMessage, AssistantMessage }} />
        <ComposerPrimitive.Root>
          <ComposerPrimitive.Input aria-label="Question" />
          <ComposerPrimitive.Send>Ask</ComposerPrimitive.Send>
        </ComposerPrimitive.Root>
      </ThreadPrimitive.Root>
    </AssistantRuntimeProvider>
  );
}

const UserMessage = () => (
  <MessagePrimitive.Root data-role="user">
    <MessagePrimitive.Parts />
  </MessagePrimitive.Root>
);

const AssistantMessage = () => (
  <MessagePrimitive.Root data-role="assistant">
    <MessagePrimitive.Parts />
  </MessagePrimitive.Root>
);
