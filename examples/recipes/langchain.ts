/** LangChain's `ChatOpenAI` with chatwire's client: its retries, repairs, fallback and accounts under LangChain's chains and agents. */
import { ChatOpenAI } from "@langchain/openai";
import OpenAI, { type ClientOptions } from "chatwire/openai";

/** A model of LangChain's for any compatible server. */
export function chatModel(model: string, options: ClientOptions): ChatOpenAI {
  const chat = new ChatOpenAI({ model, apiKey: "kept by the client", useResponsesApi: false });
  // ChatOpenAI makes a client of its own the first time it asks, unless there is one.
  Object.assign((chat as unknown as { completions: object }).completions, { client: new OpenAI(options) });
  return chat;
}
