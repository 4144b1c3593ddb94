/** Functions as they were before there were tools, whole and streamed: the loop is the program's own. */
import OpenAI from "openai";
import type { ChatCompletionChunk, ChatCompletionMessage, ChatCompletionMessageParam } from "openai/resources/chat";

const openai = new OpenAI();

const functions: OpenAI.Chat.ChatCompletionCreateParams.Function[] = [
  {
    name: "stations",
    description: "the stations of a line",
    parameters: { type: "object", properties: { line: { type: "string", enum: ["red", "blue"] } } },
  },
  {
    name: "trains",
    description: "the next trains of a station",
    parameters: { type: "object", properties: { station: { type: "string" } } },
  },
];

function call({ name, arguments: text }: ChatCompletionMessage.FunctionCall): unknown {
  const args = JSON.parse(text);
  if (name === "stations") return args.line === "blue" ? ["a", "b"] : [];
  if (name === "trains") return [`${args.station} 12:05`];
  throw new Error(`There is no function ${name}.`);
}

function add(message: ChatCompletionMessage, { choices }: ChatCompletionChunk): ChatCompletionMessage {
  const { role, content, function_call } = choices[0]?.delta ?? {};
  const { name = "", arguments: more = "" } = function_call ?? {};
  return {
    ...message,
    ...(role && { role: role as "assistant" }),
    content: content ? (message.content ?? "") + content : (message.content ?? null),
    ...(function_call && {
      function_call: {
        name: (message.function_call?.name ?? "") + name,
        arguments: (message.function_call?.arguments ?? "") + more,
      },
    }),
  };
}

async function ask(messages: ChatCompletionMessageParam[], stream: boolean): Promise<ChatCompletionMessage> {
  const params = { model: "gpt-3.5-turbo", messages, functions };
  if (!stream) {
    const completion = await openai.chat.completions.create(params);
    return completion.choices[0]?.message as ChatCompletionMessage;
  }
  let message = { role: "assistant", content: null, refusal: null } as ChatCompletionMessage;
  for await (const chunk of await openai.chat.completions.create({ ...params, stream: true }))
    message = add(message, chunk);
  return message;
}

for (const stream of [false, true]) {
  const messages: ChatCompletionMessageParam[] = [{ role: "user", content: "When does the next blue train leave?" }];
  for (;;) {
    const message = await ask(messages, stream);
    messages.push(message);
    console.log(message);
    if (!message.function_call) break;
    const { name } = message.function_call;
    messages.push({ role: "function", name, content: JSON.stringify(call(message.function_call)) });
  }
  console.log(messages.length);
}
