// The generated module as boundary.ts describes it, so that the facade compiles before the engine is built.
import type { EngineModule } from "../engine/boundary.ts";

declare const start: EngineModule["default"];
export default start;
export declare const BUILD: EngineModule["BUILD"];
export declare const initSync: EngineModule["initSync"];
export declare const inputPointer: EngineModule["inputPointer"];
export declare const reportPointer: EngineModule["reportPointer"];
export declare const heard: EngineModule["heard"];
export declare const Engine: EngineModule["Engine"];
