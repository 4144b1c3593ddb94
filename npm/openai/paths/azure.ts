export { type AzureClientOptions, AzureOpenAI } from "../azure.ts";
