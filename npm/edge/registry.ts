/**
 * The gateways of this worker, by number. A Durable Object runs in another isolate of the same worker, which has made the
 * same ones in the same order; so it finds the settings of the one that sent it a request.
 */
import type { Configuration } from "./configuration.ts";
import type { Environment } from "./options.ts";

type ConfigurationFor = (env: Environment) => Configuration;

const gateways: ConfigurationFor[] = [];

/** Gives the gateway its number. */
export function register(configurationFor: ConfigurationFor): number {
  return gateways.push(configurationFor) - 1;
}

/** The settings of a gateway; `undefined` where there is no such one. */
export function configurationOf(gateway: number, env: Environment): Configuration | undefined {
  return gateways[gateway]?.(env);
}
