/** `chatwire/slim` for Node and Bun: beside `node.ts`, with which it shares its files once they are bundled. */
export * from "../index.ts";
