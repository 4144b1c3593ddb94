/**
 * Ready-made authentication of callers: tokens that are listed, and JSON Web Tokens that others signed.
 */
import { ChatwireError } from "chatwire";
import { createLocalJWKSet, createRemoteJWKSet, type JWTPayload, jwtVerify } from "jose";
import { bearerOf } from "./admission.ts";
import { isGrant, isName } from "./checks.ts";
import type { Authorize, Awaitable, Grant } from "./options.ts";

/** Each token, in the order given, and the grant of its caller. */
type Entry = readonly [token: string | undefined, grant: string | Grant | undefined];

/**
 * Lets in callers that send one of these as `Authorization: Bearer`. All are compared, in constant time.
 *
 * @param tokens a list, or an object that says for each token who it is. In a list the caller is named by the
 * first digits of the token's hash.
 * @throws {ChatwireError} no token is given, or one is empty, as from a secret that was not set
 * @example
 * ```ts
 * authorize: bearerTokens([env.ACCESS_TOKEN]),
 * authorize: bearerTokens({ [env.ALICES_TOKEN]: "alice", [env.KIOSK_TOKEN]: { caller: "kiosk", models: ["small"] } }),
 * ```
 */
export function bearerTokens(
  tokens: readonly (string | undefined)[] | Readonly<Record<string, string | Grant>>,
): Authorize {
  const entries: Entry[] = Array.isArray(tokens) ? tokens.map((token) => [token, undefined]) : Object.entries(tokens);
  if (
    entries.length === 0 ||
    entries.some(([token]) => typeof token !== "string" || token === "" || token === "undefined")
  ) {
    throw new ChatwireError("bearerTokens has no token, or an empty one. Set the secret that holds it.");
  }
  for (const [, given] of entries) if (typeof given === "object") isGrant("a grant of bearerTokens", given);
  // Hashed in the first request: nothing runs before one in a worker.
  let known: Promise<{ digest: Uint8Array; grant: Grant }[]> | undefined;
  return async (request) => {
    known ??= Promise.all(
      entries.map(async ([token, given]) => {
        const digest = await digestOf(token as string);
        const caller = typeof given === "string" ? given : `token:${hex(digest.subarray(0, 4))}`;
        return { digest, grant: typeof given === "object" ? given : { caller } };
      }),
    );
    const digest = await digestOf(bearerOf(request));
    let grant: Grant | null = null;
    for (const one of await known) if (isSame(digest, one.digest)) grant = one.grant;
    return grant;
  };
}

/** Compares two hashes in constant time: both have the same length. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.reduce((difference, byte, at) => difference | (byte ^ (b[at] as number)), 0) === 0;
}

async function digestOf(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The claims of a JSON Web Token. */
export interface Claims {
  sub?: string;
  iss?: string;
  aud?: string | string[];
  exp?: number;
  [claim: string]: unknown;
}

/** Which JSON Web Tokens are accepted. One of `jwks` and `secret` is needed. */
export interface JwtOptions {
  /** The public keys of the service that signs: the URL of its key set, or the key set itself. */
  jwks?: string | URL | { keys: object[] };
  /**
   * The secret shared with the service that signs (HS256, HS384, HS512), at least 32 characters.
   * @range at least 32 characters
   */
  secret?: string;
  /** The issuers whose signature counts (`iss`). */
  issuer: string | string[];
  /** The audiences that the token must be for (`aud`): otherwise a token for another service would be accepted here. */
  audience: string | string[];
  /**
   * Seconds by which clocks may differ.
   * @range 0 or more
   * @default 5
   */
  tolerance?: number;
  /**
   * The caller that the claims stand for; `null` refuses the request. By default `{ caller: sub }`.
   * @default `{ caller: sub }`
   */
  grant?: (claims: Claims) => Awaitable<Grant | null>;
}

const PUBLIC_KEY_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
const SECRET_ALGORITHMS = ["HS256", "HS384", "HS512"];

/**
 * Lets in callers with a JSON Web Token that is signed, not expired, and meant for this gateway.
 * @throws {ChatwireError} the options leave out what makes a token trustworthy
 * @example
 * ```ts
 * const issuer = "https://login.example.com";
 * const authorize = jwt({ jwks: `${issuer}/.well-known/jwks.json`, issuer, audience: "chat" });
 * ```
 */
export function jwt(options: JwtOptions): Authorize {
  const { jwks, secret, issuer, audience, tolerance = 5, grant = bySubject } = options;
  if (!(tolerance >= 0)) throw new ChatwireError("jwt needs a tolerance of 0 seconds or more.");
  if ((jwks === undefined) === (secret === undefined))
    throw new ChatwireError("jwt needs a key to check signatures: give either jwks or secret.");
  if (!issuer?.length || !audience?.length)
    throw new ChatwireError(
      "jwt needs issuer and audience: the service that signs the tokens, and the service that they are for.",
    );
  if (secret !== undefined && secret.length < 32)
    throw new ChatwireError("jwt needs a secret of at least 32 characters.");
  const verify = verifier(jwks, secret, { issuer, audience, clockTolerance: tolerance, requiredClaims: ["exp"] });
  return async (request) => {
    const token = bearerOf(request);
    if (token === "") return null;
    let claims: JWTPayload;
    try {
      claims = await verify(token);
    } catch (error) {
      // Either the keys could not be loaded, or the token is not valid.
      if (!isRefusal(error)) throw error;
      return null;
    }
    const given = await grant(claims);
    // The grant ends when the token expires.
    return given && { expiresAt: (claims.exp ?? 0) * 1000, ...given };
  };
}

function verifier(
  jwks: JwtOptions["jwks"],
  secret: string | undefined,
  checks: object,
): (token: string) => Promise<JWTPayload> {
  if (secret !== undefined) {
    const key = new TextEncoder().encode(secret);
    return async (token) => (await jwtVerify(token, key, { ...checks, algorithms: SECRET_ALGORITHMS })).payload;
  }
  const keys =
    typeof jwks === "string" || jwks instanceof URL
      ? createRemoteJWKSet(new URL(jwks))
      : createLocalJWKSet(jwks as Parameters<typeof createLocalJWKSet>[0]);
  return async (token) => (await jwtVerify(token, keys, { ...checks, algorithms: PUBLIC_KEY_ALGORITHMS })).payload;
}

/** Whether the token is at fault, and not the check of it. */
function isRefusal(error: unknown): boolean {
  const code = String((error as { code?: unknown } | null)?.code);
  return /^ERR_(JWT|JWS|JOSE_ALG|JOSE_NOT|JWKS_NO_MATCHING|JWKS_MULTIPLE)/.test(code);
}

function bySubject({ sub }: Claims): Grant | null {
  return isName(sub) ? { caller: sub } : null;
}
