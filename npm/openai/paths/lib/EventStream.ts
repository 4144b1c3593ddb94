export { type BaseEvents, type EventListener, type EventParameters, EventStream } from "../../emitter.ts";
