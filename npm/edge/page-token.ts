/**
 * Tokens for pages: short-lived, good for some models, some tokens an answer and the pages of some origins.
 *
 * They carry all that they allow, signed (JWT, HS256), so that no gateway has to remember them. That a page is of the right
 * origin is what its browser says; another program that gets hold of a token can say so too, until the token expires.
 */
import { jwtVerify, SignJWT } from "jose";
import type { Grant, PageTokens, Plan } from "./options.ts";
import { Problem } from "./problem.ts";

/** Sets them apart from tokens that others signed. */
const PREFIX = "cwp_";
const ISSUER = "chatwire";
const AUDIENCE = "chatwire-page";
const EXPIRES_IN = 300;

/** What is given to whoever asked. */
export interface IssuedToken {
  token: string;
  token_type: "Bearer";
  /** Seconds. */
  expires_in: number;
  /** In seconds since 1970. */
  expires_at: number;
  models: readonly string[] | null;
  max_tokens: number | null;
}

/** Makes a token that allows no more than its maker may, nor than `tokens` says. */
export async function issuePageToken(tokens: PageTokens, maker: Grant): Promise<IssuedToken> {
  const { secret, expiresIn = EXPIRES_IN } = tokens;
  const models = narrower(tokens.models, maker.models);
  const maxTokens = lower(tokens.maxTokens, maker.maxTokens);
  const tools = tokens.tools !== false && maker.tools !== false;
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    ...(models && { models }),
    ...(maxTokens && { max_tokens: maxTokens }),
    ...(!tools && { tools }),
    ...(maker.plan && { plan: maker.plan }),
  };
  const signed = await new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(maker.caller)
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setIssuedAt(now)
    .setExpirationTime(now + expiresIn)
    .setJti(crypto.randomUUID())
    .sign(new TextEncoder().encode(secret));
  return {
    token: PREFIX + signed,
    token_type: "Bearer",
    expires_in: expiresIn,
    expires_at: now + expiresIn,
    models: models ?? null,
    max_tokens: maxTokens ?? null,
  };
}

export function isPageToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

/** @throws {Problem} 401, it is not one of ours or has expired; 403, the page is of another origin */
export async function verifyPageToken(tokens: PageTokens, token: string, request: Request): Promise<Grant> {
  let claims: { sub?: string; models?: string[]; max_tokens?: number; tools?: boolean; plan?: Plan };
  try {
    const key = new TextEncoder().encode(tokens.secret);
    const checks = { issuer: ISSUER, audience: AUDIENCE, algorithms: ["HS256"], requiredClaims: ["exp", "sub"] };
    claims = (await jwtVerify(token.slice(PREFIX.length), key, checks)).payload;
  } catch {
    throw new Problem(401, "invalid_page_token", "This page's token has expired or is not valid: get a new one.", {
      headers: { "www-authenticate": "Bearer" },
    });
  }
  if (!tokens.origins.includes(pageOf(request))) {
    throw new Problem(403, "origin_not_allowed", "This token is for pages of another origin.");
  }
  const { sub, models, max_tokens: maxTokens, tools, plan } = claims;
  return {
    caller: sub as string,
    ...(models && { models }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(tools !== undefined && { tools }),
    ...(plan && { plan }),
  };
}

/** The origin of the page that asks, as its browser says; nothing where none does. */
function pageOf(request: Request): string {
  const origin = request.headers.get("origin");
  if (origin !== null) return origin;
  // A GET to the page's own origin names none.
  return request.headers.get("sec-fetch-site") === "same-origin" ? new URL(request.url).origin : "";
}

function narrower(a: readonly string[] | undefined, b: readonly string[] | undefined): readonly string[] | undefined {
  return a && b ? a.filter((name) => b.includes(name)) : (a ?? b);
}

function lower(a: number | undefined, b: number | undefined): number | undefined {
  return a && b ? Math.min(a, b) : (a ?? b);
}
