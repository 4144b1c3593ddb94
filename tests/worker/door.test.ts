/** Admission by Host, Origin and token. The worker runs in workerd. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type RunningWorker, startWorker } from "../../worker/workerd.ts";
import { ask, errorOf } from "./network.ts";

const assets = join(import.meta.dirname, "site");

describe("a worker without an access token", { timeout: 60_000 }, () => {
  let worker: RunningWorker;
  const at = (path: string) => new URL(path, worker.url);
  before(async () => {
    worker = await startWorker({ assets });
  });
  after(() => worker.stop());

  it("listens on this machine's own address", () => {
    assert.equal(worker.url.hostname, "127.0.0.1");
  });

  for (const host of ["localhost", "127.0.0.1", "[::1]", "localhost:8787"]) {
    it(`answers the host ${host}`, async () => {
      assert.equal((await ask(at("/providers"), { headers: { host } })).status, 200);
    });
  }

  for (const host of ["example.com", "localhost.example.com", "127.0.0.1.example.com", "192.168.0.7", "0.0.0.0"]) {
    for (const path of ["/", "/providers", "/v1/models"]) {
      it(`refuses ${path} to the host ${host}`, async () => {
        const answer = await ask(at(path), { headers: { host } });
        assert.equal(answer.status, 403);
        assert.equal(errorOf(answer).code, "host_not_allowed");
        assert.match(errorOf(answer).message, /only on localhost/);
      });
    }
  }

  for (const header of ["mf-original-url", "x-original-url", "x-forwarded-host", "forwarded"]) {
    it(`is not talked round by ${header}`, async () => {
      const local = header === "forwarded" ? "host=localhost" : "http://localhost/providers";
      const answer = await ask(at("/providers"), { headers: { host: "example.com", [header]: local } });
      assert.equal(answer.status, 403);
    });
  }

  it("answers its own page", async () => {
    const origin = worker.url.origin;
    const answer = await ask(at("/providers"), { headers: { origin, "sec-fetch-site": "same-origin" } });
    assert.equal(answer.status, 200);
  });

  for (const headers of [
    { origin: "https://example.com" },
    { origin: "http://127.0.0.1:1" },
    { origin: "null" },
    { origin: "file://" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ]) {
    it(`refuses a page that says ${JSON.stringify(headers)}`, async () => {
      for (const [method, path] of [
        ["GET", "/v1/models"],
        ["POST", "/v1/chat/completions"],
        ["OPTIONS", "/v1/chat/completions"],
      ] as const) {
        const answer = await ask(at(path), { method, headers });
        assert.equal(answer.status, 403);
        assert.equal(errorOf(answer).code, "origin_not_allowed");
        assert.equal(answer.headers["access-control-allow-origin"], undefined);
      }
    });
  }
});

describe("a worker with an access token", { timeout: 60_000 }, () => {
  const token = "a-token-of-this-test";
  let worker: RunningWorker;
  const at = (path: string) => new URL(path, worker.url);
  before(async () => {
    worker = await startWorker({ assets, bindings: { ACCESS_TOKEN: token } });
  });
  after(() => worker.stop());

  it("shows its page to any host", async () => {
    const answer = await ask(at("/"), { headers: { host: "chat.example.com" } });
    assert.equal(answer.status, 200);
    assert.match(answer.text, /A page behind the worker/);
  });

  for (const host of ["chat.example.com", "localhost"]) {
    it(`lets the token in on ${host}`, async () => {
      const answer = await ask(at("/v1/models"), { headers: { host, authorization: `Bearer ${token}` } });
      assert.equal(answer.status, 200);
    });

    for (const authorization of ["", "Bearer", `Bearer ${token}x`, `Bearer ${token.slice(1)}`, `Basic ${token}`]) {
      it(`refuses ${JSON.stringify(authorization)} on ${host}`, async () => {
        const answer = await ask(at("/v1/models"), { headers: { host, ...(authorization && { authorization }) } });
        assert.equal(answer.status, 401);
        assert.equal(errorOf(answer).code, "unauthorized");
        assert.ok(!answer.text.includes(token));
      });
    }
  }

  it("refuses a foreign page even with the token", async () => {
    const headers = { authorization: `Bearer ${token}`, origin: "https://example.com" };
    assert.equal((await ask(at("/v1/models"), { headers })).status, 403);
  });
});
