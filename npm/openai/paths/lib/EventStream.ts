export { type BaseEvents, EventStream } from "../../emitter.ts";
