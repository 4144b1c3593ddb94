/** `chatwire/slim`: the package without its WebAssembly, which the caller hands to `init`. */
export * from "./index.ts";
