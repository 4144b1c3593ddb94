/**
 * The answer to `GET .../models`, in OpenAI's shape. Neither service documents it; clients list models all the same.
 */
import type { Service } from "./ledger.ts";

const HUB_MODELS = ["gpt-4o", "gpt-5.1", "claude-sonnet-4-6", "deepseek-r1"]; // hub 115

/** The list of models of a service. */
export function modelList(service: Service, electronModels: readonly string[]): Record<string, unknown> {
  const ids = service === "electron" ? electronModels : HUB_MODELS;
  const owner = service === "electron" ? "smallest-ai" : "electronhub";
  return { object: "list", data: ids.map((id) => ({ id, object: "model", created: 1_735_689_600, owned_by: owner })) };
}
