// The engine as a script, made of the same module.
import type { EngineExports } from "../engine/boundary.ts";

/** Makes an instance. */
declare const make: () => EngineExports;
export default make;
