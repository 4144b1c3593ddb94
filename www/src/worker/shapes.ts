/** Streams to race on, made up: as OpenAI writes them, with its random padding, and with every event of another size. */

export const SHAPES = ["plain", "padded", "uneven"] as const;
export type Shape = (typeof SHAPES)[number];

/** The text of an event stream. */
export function streamOf(shape: Shape, events: number): string {
  let text = "";
  for (let i = 0; i < events; i++) {
    const content = shape === "uneven" ? `wörd${"s".repeat(i % 37)} "${i}"\n` : " word";
    const chunk: Record<string, unknown> = {
      id: "chatcmpl-race",
      object: "chat.completion.chunk",
      created: 1_790_000_000,
      model: "electron",
      choices: [{ index: 0, delta: { content }, finish_reason: null }],
    };
    if (shape === "padded")
      chunk.obfuscation = (i * 2654435761)
        .toString(36)
        .repeat(1 + (i % 3))
        .slice(0, 2 + (i % 14));
    text += `data: ${JSON.stringify(chunk)}\n\n`;
  }
  const end = { id: "chatcmpl-race", object: "chat.completion.chunk", created: 1_790_000_000, model: "electron" };
  text += `data: ${JSON.stringify({ ...end, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })}\n\n`;
  return `${text}data: [DONE]\n\n`;
}
