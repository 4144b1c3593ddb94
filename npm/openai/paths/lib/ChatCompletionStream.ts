export * from "../../chat-stream.ts";
