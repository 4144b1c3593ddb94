/** A gateway in workerd with a provider for each fault, under a model of the fault's name. */
import { gateway } from "chatwire/edge";

interface Env {
  /** JSON: by name, where the provider is and how long it is waited for. */
  PROVIDERS: string;
}

export default gateway((env: Env) => {
  const lines = Object.entries(JSON.parse(env.PROVIDERS) as Record<string, { baseURL: string; patience: number }>);
  return {
    providers: Object.fromEntries(
      lines.map(([name, { baseURL, patience }]) => {
        const timeout = { headers: patience, firstToken: patience, idle: patience };
        return [name, { provider: { baseURL }, apiKey: "any", maxRetries: 0, timeout }];
      }),
    ),
    models: Object.fromEntries(lines.map(([name]) => [name, `${name}/electron`])),
    authorize: () => ({ caller: "alice" }),
  };
});
