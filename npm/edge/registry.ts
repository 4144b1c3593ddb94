/**
 * The gateways of this worker, by number. A Durable Object runs in another isolate of the same worker, which has made the
 * same ones in the same order; so it finds the settings of the one that sent it a request.
 */
import { isObject } from "./checks.ts";
import type { Configuration } from "./configuration.ts";
import type { Environment, GatewayOptions } from "./options.ts";

/** The classes that the worker's main module exports, as the platform gives them (`ctx.exports`); nothing on older ones. */
export type Exports = Readonly<Record<string, unknown>> | undefined;

type ConfigurationFor = (env: Environment, exports: () => Exports) => Configuration;

const gateways: ConfigurationFor[] = [];

/** Adds a gateway, and returns its number. */
export function register(configurationFor: ConfigurationFor): number {
  return gateways.push(configurationFor) - 1;
}

/** The settings of a gateway; `undefined` where there is no such one. */
export function configurationOf(gateway: number, env: Environment, exports: Exports): Configuration | undefined {
  return gateways[gateway]?.(env, () => exports);
}

/** The options, with the objects that the worker exports in place of bindings that are not named. */
export function withExports(options: GatewayOptions, exports: Exports): GatewayOptions {
  isObject("options", options);
  const found = <T extends object>(name: string): T | undefined => {
    const own = exports?.[name] as { idFromName?: unknown } | undefined;
    return typeof own?.idFromName === "function" ? (own as T) : undefined;
  };
  const limiter = options.limiter ?? found("ChatwireLimiter");
  const streams = options.streams ?? found("ChatwireStreams");
  const keys = options.keys ?? (options.authorize && found("ChatwireKeys"));
  return { ...options, ...(limiter && { limiter }), ...(streams && { streams }), ...(keys && { keys }) };
}
