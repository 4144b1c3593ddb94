/**
 * Our hand-written types against those of the `openai` package, by the compiler: nothing here runs.
 *
 * Code that is typed with `openai`'s types moves over without changes, and values move both ways.
 */
import type {
  APIPromise,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionCreateParams,
  ChatCompletionMessageParam,
  ChatEvent,
  ChatStream,
  Chatwire,
  ClientOptions,
  CompletionUsage,
  Outcome,
} from "chatwire";
import type OpenAI from "openai";

type Assignable<From, To> = [From] extends [To] ? true : false;
type Is<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

function check<_ extends true>(): void {}

// Parameters that openai's types allow can be sent here.
check<Assignable<OpenAI.ChatCompletionMessageParam, ChatCompletionMessageParam>>();
check<Assignable<OpenAI.ChatCompletionCreateParams, ChatCompletionCreateParams>>();
check<Assignable<OpenAI.ChatCompletionTool, NonNullable<ChatCompletionCreateParams["tools"]>[number]>>();

// Answers here fit openai's types, and the other way round.
check<Assignable<ChatCompletion, OpenAI.ChatCompletion>>();
check<Assignable<OpenAI.ChatCompletion, ChatCompletion>>();
check<Assignable<ChatCompletionChunk, OpenAI.ChatCompletionChunk>>();
check<Assignable<OpenAI.ChatCompletionChunk, ChatCompletionChunk>>();
check<Assignable<CompletionUsage, OpenAI.CompletionUsage>>();
check<Assignable<OpenAI.CompletionUsage, CompletionUsage>>();

// The assistant's turn can be sent back, here and there.
check<Assignable<NonNullable<Outcome["message"]>, ChatCompletionMessageParam>>();
check<Assignable<NonNullable<Outcome["message"]>, OpenAI.ChatCompletionMessageParam>>();
check<Assignable<ChatCompletion["choices"][number]["message"], ChatCompletionMessageParam>>();

// `create` answers by `stream`, as openai's does.
declare const client: Chatwire;
declare const messages: OpenAI.ChatCompletionMessageParam[];
const whole = client.chat.completions.create({ messages });
const streamed = client.chat.completions.create({ messages, stream: true });
const either = client.chat.completions.create({ messages, stream: Math.random() < 0.5 });
check<Is<Awaited<typeof streamed>, ChatStream>>();
check<Is<typeof streamed, APIPromise<ChatStream>>>();
check<Assignable<Awaited<typeof whole>, OpenAI.ChatCompletion>>();
check<Assignable<ChatStream, Awaited<typeof either>>>();

// Provider fields are known, unknown ones can be spread in, and a slip of the pen is caught.
client.chat.completions.create({ messages, top_k: 40, web_search: true, reasoning: { exclude: true } });
client.chat.completions.create({ messages, ...{ guided_json: {} } });
// @ts-expect-error: no such parameter
client.chat.completions.create({ messages, temprature: 1 });
// @ts-expect-error: there is no such role
client.chat.completions.create({ messages: [{ role: "robot", content: "" }] });

// The unions narrow.
export function narrow(event: ChatEvent, outcome: Outcome): string {
  if (event.type === "tool_call.done") return event.complete ? event.arguments : event.name;
  if (event.type === "usage") return String(event.usage.estimated && event.cost);
  if (outcome.status === "truncated") return outcome.error.name;
  if (outcome.status === "complete") check<Is<typeof outcome.error, undefined>>();
  return outcome.text;
}

// The host's own fetch can be given, and so can openai's idea of one.
check<Assignable<typeof globalThis.fetch, NonNullable<ClientOptions["fetch"]>>>();
