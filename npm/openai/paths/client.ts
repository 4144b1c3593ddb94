export { OpenAI } from "../client.ts";
export type { ApiKeySetter, ClientOptions, Logger, LogLevel } from "../options.ts";
