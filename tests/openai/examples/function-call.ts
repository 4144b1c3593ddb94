/** Tools by hand: the loop is the program's own. */
import OpenAI from "openai";
import type { ChatCompletionMessage, ChatCompletionMessageParam, ChatCompletionTool } from "openai/resources/chat";

const openai = new OpenAI();

const tools: ChatCompletionTool[] = [
  {
    type: "function",
    function: {
      name: "search_books",
      description: "search for books by name",
      parameters: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
    },
  },
];

async function callTool(call: OpenAI.ChatCompletionMessageFunctionToolCall): Promise<unknown> {
  const args = JSON.parse(call.function.arguments);
  if (call.function.name === "search_books") return [{ name: args.name, id: "b1" }];
  throw new Error("No function found");
}

const messages: ChatCompletionMessageParam[] = [{ role: "user", content: "Please search books named 'Emma'" }];
for (let turn = 0; turn < 4; turn++) {
  const completion = await openai.chat.completions.create({ model: "gpt-4o", messages, tools });
  const message = completion.choices[0]?.message as ChatCompletionMessage;
  messages.push(message);
  console.log(message.role, message.content, message.tool_calls?.length ?? 0);
  if (!message.tool_calls?.length) break;
  for (const call of message.tool_calls) {
    if (call.type !== "function") continue;
    const result = await callTool(call);
    messages.push({ role: "tool", tool_call_id: call.id, content: JSON.stringify(result) });
  }
}
console.log(messages.length);
