/**
 * Schemas as callers have them, and what a check says. Types only.
 */
import type { JSONSchema } from "../types.ts";

/** A Standard Schema (https://standardschema.dev) with `~standard.jsonSchema`, such as zod 4.6 makes. */
export interface StandardSchema<T = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<T> | Promise<StandardResult<T>>;
    readonly jsonSchema?: { readonly input: (options: { readonly target: string }) => Record<string, unknown> };
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

export type StandardResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

/** The schema of a value. */
export type Schema<T = unknown> = StandardSchema<T> | JSONSchema;

/** A fault of a value, and its place; the value itself is not repeated. */
export interface SchemaProblem {
  path: (string | number)[];
  message: string;
}
