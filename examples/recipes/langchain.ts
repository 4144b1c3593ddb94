/** LangChain's `ChatOpenAI` with chatwire's client: its retries, repairs, fallback and accounts under LangChain's chains and agents. */
import { ChatOpenAI, ChatOpenAICompletions } from "@langchain/openai";
import OpenAI, { type ClientOptions } from "chatwire/openai";

/** A model of LangChain's for any compatible server. */
export function chatModel(model: string, options: ClientOptions): ChatOpenAI {
  const fields = { model, apiKey: "kept by the client" };
  const completions = new ChatOpenAICompletions(fields);
  // LangChain makes a client of its own with the first question, unless there is one.
  Object.assign(completions, { client: new OpenAI(options) });
  return new ChatOpenAI({ ...fields, completions, useResponsesApi: false });
}
