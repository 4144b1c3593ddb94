/**
 * Tokens for pages: short-lived, for one end user, some models, some tokens an answer and the pages of some origins.
 *
 * A token carries all that it allows, signed (JWT, HS256), so that no gateway has to store it; only revoked tokens are stored.
 * A token that was made with a key of `/v1/keys` names the key, and allows no more than the key does when the token is used:
 * nothing once the key is revoked. The origin of a page is known from its browser alone; another program that gets a token can
 * send the same origin, until the token expires.
 */
import { jwtVerify, SignJWT } from "jose";
import { type Check, isBoolean, isListOfTexts, isNameText, isPlan, isWhole, objectOf, problemIn } from "./checks.ts";
import { type Admitted, askKeys, grantOf } from "./key-management.ts";
import type { Full, TokenCheck } from "./keys.ts";
import type { DurableNamespace, Grant, PageTokens, ParameterPolicy, Plan } from "./options.ts";
import { Problem } from "./problem.ts";

/** The beginning of every page token, by which it differs from tokens that others signed. */
const PREFIX = "cwp_";
const ISSUER = "chatwire";
const AUDIENCE = "chatwire-page";
const EXPIRES_IN = 300;

/** The answer to a request for a token. */
export interface IssuedToken {
  token: string;
  token_type: "Bearer";
  /** The id to revoke the token by, where the gateway has `keys`. */
  id?: string;
  /** Seconds. */
  expires_in: number;
  /** In seconds since 1970. */
  expires_at: number;
  /** The user that the token was requested for. */
  user?: string;
  models: readonly string[] | null;
  max_tokens: number | null;
}

/** The restrictions that a token may be asked for: less than its maker may, for one of the maker's users. */
export interface TokenRequest {
  /** The end user. Limits, usage and streams are this user's own. */
  user?: string;
  /** Limits in place of the maker's, each where it is lower. */
  plan?: Plan;
  models?: readonly string[];
  maxTokens?: number;
  tools?: boolean;
  /** Seconds. */
  expiresIn?: number;
}

const isTokenRequest = objectOf({
  user: isNameText,
  plan: isPlan,
  models: isListOfTexts,
  maxTokens: isWhole,
  tools: isBoolean,
  expiresIn: isWhole,
} satisfies Record<keyof TokenRequest, Check>);

/**
 * Makes a token that allows no more than its maker may, nor than `tokens` and `wanted` say, and does not outlive its maker's.
 * @throws {Problem} 400, `wanted` is malformed
 */
export async function issuePageToken(
  { token: tokens, keys }: { token: PageTokens; keys: DurableNamespace | undefined },
  maker: Admitted,
  wanted: TokenRequest,
): Promise<IssuedToken> {
  try {
    isTokenRequest("the token", wanted);
  } catch (error) {
    throw new Problem(
      400,
      "invalid_value",
      `The body may have "user", "plan", "models", "maxTokens", "tools" and "expiresIn": ${problemIn(error)}`,
    );
  }
  const { secret } = tokens;
  const now = Math.floor(Date.now() / 1000);
  const longest = tokens.expiresIn ?? EXPIRES_IN;
  const end = Math.min(
    now + Math.min(longest, wanted.expiresIn ?? longest),
    maker.expiresAt === undefined ? Number.POSITIVE_INFINITY : Math.floor(maker.expiresAt / 1000),
  );
  const models = narrower(wanted.models, narrower(tokens.models, maker.models));
  const maxTokens = lower(wanted.maxTokens, lower(tokens.maxTokens, maker.maxTokens));
  const tools = tokens.tools !== false && maker.tools !== false && wanted.tools !== false;
  const plan = lowerPlan(wanted.plan, maker.plan);
  const id = crypto.randomUUID();
  const claims = {
    ...(models && { models }),
    ...(maxTokens && { max_tokens: maxTokens }),
    ...(!tools && { tools }),
    ...(plan && { plan }),
    ...(maker.parameters && { parameters: maker.parameters }),
    ...(maker.tags && { tags: maker.tags }),
    ...(wanted.user !== undefined && { user: wanted.user }),
    ...(maker.keyId !== undefined && { key: maker.keyId }),
    // Revocation compares times in milliseconds.
    made_at: Date.now(),
  };
  const signed = await new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(maker.caller)
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setIssuedAt(now)
    .setExpirationTime(end)
    .setJti(id)
    .sign(new TextEncoder().encode(secret));
  return {
    token: PREFIX + signed,
    token_type: "Bearer",
    ...(keys && { id }),
    expires_in: end - now,
    expires_at: end,
    ...(wanted.user !== undefined && { user: wanted.user }),
    models: models ?? null,
    max_tokens: maxTokens ?? null,
  };
}

/** Revokes a token by its id, or all that a user has so far. */
export async function revokePageTokens(
  tokens: PageTokens,
  keys: DurableNamespace | undefined,
  maker: Grant,
  wanted: { id?: unknown; user?: unknown },
): Promise<object> {
  if (!keys) throw new Problem(404, "not_found", "This gateway cannot revoke tokens. Its option `keys` allows that.");
  const { id, user } = wanted;
  for (const [name, value] of Object.entries({ id, user })) {
    try {
      if (value !== undefined) isNameText(name, value);
    } catch (error) {
      throw new Problem(400, "invalid_value", problemIn(error), { param: name });
    }
  }
  const subject =
    typeof id === "string" && id !== ""
      ? subjectOf(maker.caller, "id", id)
      : typeof user === "string" && user !== ""
        ? subjectOf(maker.caller, "user", user)
        : undefined;
  if (!subject) throw new Problem(400, "invalid_value", 'Name what to revoke: {"id": "..."} or {"user": "..."}.');
  const until = Date.now() + (tokens.expiresIn ?? EXPIRES_IN) * 1000;
  const done = await askKeys<{ revoked: true } | Full>(keys, {
    op: "revokeToken",
    maker: maker.caller,
    subject,
    until,
  });
  if (!("isFull" in done)) return done;
  throw new Problem(
    429,
    "too_many_revocations",
    "Too many of your tokens and users are revoked at a time. A revocation is kept until its tokens have expired: try again then, " +
      "or revoke the key that made the tokens.",
  );
}

/** A maker revokes its own tokens only. */
function subjectOf(maker: string, kind: "id" | "user", name: string): string {
  return JSON.stringify([maker, kind, name]);
}

export function isPageToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

/** @throws {Problem} 401, it is not one of ours, has expired or was revoked; 403, the page is of another origin */
export async function verifyPageToken(
  tokens: PageTokens,
  keys: DurableNamespace | undefined,
  token: string,
  request: Request,
): Promise<Grant> {
  let claims: PageClaims;
  try {
    const key = new TextEncoder().encode(tokens.secret);
    const checks = { issuer: ISSUER, audience: AUDIENCE, algorithms: ["HS256"], requiredClaims: ["exp", "sub"] };
    claims = (await jwtVerify(token.slice(PREFIX.length), key, checks)).payload;
  } catch {
    throw invalid();
  }
  if (!tokens.origins.includes(pageOf(request))) {
    throw new Problem(
      403,
      "origin_not_allowed",
      "This token is for pages of other origins. Request one for this page's origin.",
    );
  }
  const {
    sub = "",
    exp,
    jti = "",
    user,
    models,
    max_tokens: maxTokens,
    tools,
    plan,
    parameters,
    tags,
    made_at,
    key = null,
  } = claims;
  const grant: Grant = {
    caller: sub,
    ...(models && { models }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(tools !== undefined && { tools }),
    ...(plan && { plan }),
    ...(parameters && { parameters }),
    ...(tags && { tags }),
    ...(exp !== undefined && { expiresAt: exp * 1000 }),
  };
  let maker: Grant = grant;
  if (keys) {
    const subjects = [subjectOf(sub, "id", jti), ...(user === undefined ? [] : [subjectOf(sub, "user", user)])];
    const check = await askKeys<TokenCheck>(keys, { op: "checkToken", subjects, issuedAt: made_at ?? 0, key });
    if (check.isRevoked) throw invalid();
    if (check.key) maker = grantOf(check.key);
    else if (key !== null) throw invalid();
  } else if (key !== null) throw invalid();
  // The key may belong to another caller by now.
  if (maker.caller !== sub) throw invalid();
  return { ...narrowed(grant, maker), caller: user === undefined ? sub : `${sub}/${userPart(user)}` };
}

/** The grant of a token, no wider than that of its maker is now. */
function narrowed(grant: Grant, maker: Grant): Grant {
  if (grant === maker) return grant;
  const { caller, expiresAt } = grant;
  const models = narrower(grant.models, maker.models);
  const maxTokens = lower(grant.maxTokens, maker.maxTokens);
  const plan = lowerPlan(grant.plan, maker.plan);
  const { parameters, tags } = maker;
  return {
    caller,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(models && { models }),
    ...(maxTokens && { maxTokens }),
    ...((grant.tools === false || maker.tools === false) && { tools: false }),
    ...(plan && { plan }),
    ...(parameters && { parameters }),
    ...(tags && { tags }),
  };
}

/** The user in the caller's name: without a slash, or `team` would have users who are those of `team/a`. */
function userPart(user: string): string {
  return user.replace(/[%/]/g, encodeURIComponent);
}

interface PageClaims {
  sub?: string;
  exp?: number;
  jti?: string;
  user?: string;
  models?: string[];
  max_tokens?: number;
  tools?: boolean;
  plan?: Plan;
  parameters?: ParameterPolicy;
  tags?: Record<string, string>;
  made_at?: number;
  /** The id of the key that it was made with. */
  key?: string;
}

function invalid(): Problem {
  return new Problem(401, "invalid_page_token", "This page's token has expired or is not valid. Request a new one.", {
    headers: { "www-authenticate": "Bearer" },
  });
}

/** The origin of the page that asks, as its browser says; nothing where none does. */
function pageOf(request: Request): string {
  const origin = request.headers.get("origin");
  if (origin !== null) return origin;
  // A GET to the page's own origin has no Origin header.
  return request.headers.get("sec-fetch-site") === "same-origin" ? new URL(request.url).origin : "";
}

function narrower(a: readonly string[] | undefined, b: readonly string[] | undefined): readonly string[] | undefined {
  return a && b ? a.filter((name) => b.includes(name)) : (a ?? b);
}

function lower(a: number | undefined, b: number | undefined): number | undefined {
  return a && b ? Math.min(a, b) : (a ?? b);
}

/** The lower one of each limit of two plans. */
function lowerPlan(a: Plan | undefined, b: Plan | undefined): Plan | undefined {
  if (!a || !b) return a ?? b;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof Plan>;
  return Object.fromEntries([...names].map((name) => [name, lower(a[name], b[name])]));
}
