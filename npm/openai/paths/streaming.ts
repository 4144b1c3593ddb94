export { type ServerSentEvent, Stream } from "../stream.ts";
