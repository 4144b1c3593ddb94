export { Models, type ModelsPage } from "../../completions.ts";
export type { Model, ModelDeleted } from "../../types.ts";
