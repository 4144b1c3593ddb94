// What the facade takes of the generated module, as boundary.ts describes it, so that it compiles before the engine is built.
import type { EngineModule } from "../engine/boundary.ts";

export declare const BUILD: EngineModule["BUILD"];
export declare const initSync: EngineModule["initSync"];
