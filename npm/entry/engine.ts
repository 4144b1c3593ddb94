/** The engine of `chatwire` in Node, for measurements and tests: a bundle has its modules in files of other names. */
export * from "../engine/engine.ts";
