/** `chatwire/otel` beside a version of `@opentelemetry/api` that it is not written for. */
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";

const other = "export const trace = { tracer() {} }, SpanKind = {}; export default {};";
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "@opentelemetry/api"
      ? { url: `data:text/javascript,${encodeURIComponent(other)}`, shortCircuit: true }
      : next(specifier, context),
});

test("another_version_is_an_error_that_says_which_to_install", async () => {
  const { telemetry, traced, usageTelemetry } = await import("chatwire/otel");
  const tool = { name: "t", parameters: {}, execute: () => 1 };
  for (const use of [telemetry, usageTelemetry, () => traced(tool as never)]) {
    assert.throws(use, {
      name: "ChatwireError",
      message: /for version 1 of @opentelemetry\/api.*install @opentelemetry\/api@1/,
    });
  }
});
