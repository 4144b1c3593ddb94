// The generated module as boundary.ts describes it, so that the facade compiles before the engine is built.
import type { EngineModule } from "../engine/boundary.ts";

export declare const BUILD: EngineModule["BUILD"];
export declare const initSync: EngineModule["initSync"];
export declare const inputPointer: EngineModule["inputPointer"];
export declare const reportPointer: EngineModule["reportPointer"];
export declare const make: EngineModule["make"];
export declare const open: EngineModule["open"];
export declare const call: EngineModule["call"];
export declare const free: EngineModule["free"];
export declare const heard: EngineModule["heard"];
