export { OpenAI } from "../client.ts";
export type { ClientOptions, Logger, LogLevel } from "../options.ts";
