/**
 * `chatwire keys`: makes, lists, limits and revokes the keys of a gateway's callers.
 */

/** A request to a gateway that failed, in its words. */
export class KeyCommandError extends Error {}

/** The arguments of the command line. */
export interface KeyCommand {
  action: string | undefined;
  /** The id of a key, where the action has one. */
  id: string | undefined;
  /** Where the gateway is, without `/v1`. */
  gateway: string | undefined;
  /** The token of a caller that manages keys. */
  token: string | undefined;
  /** The permissions of the key. */
  grant: Record<string, unknown>;
}

const ACTIONS = {
  list: { method: "GET", hasId: false, hasGrant: false },
  create: { method: "POST", hasId: false, hasGrant: true },
  limit: { method: "PATCH", hasId: true, hasGrant: true },
  revoke: { method: "DELETE", hasId: true, hasGrant: false },
} as const;

/**
 * Runs one command and prints what it gave.
 * @throws {KeyCommandError} the command makes no sense, or the gateway refused it
 */
export async function manageKeys(
  { action = "", id, gateway, token, grant }: KeyCommand,
  print: (line: string) => void,
  send: typeof fetch = fetch,
): Promise<void> {
  const known = Object.hasOwn(ACTIONS, action) ? ACTIONS[action as keyof typeof ACTIONS] : undefined;
  if (!known) throw new KeyCommandError(`keys takes one of ${Object.keys(ACTIONS).join(", ")}`);
  if (!gateway || !URL.canParse(gateway)) {
    throw new KeyCommandError("Give the gateway's address with --gateway, such as https://my-gateway.example.com");
  }
  if (!token) throw new KeyCommandError("Set CHATWIRE_TOKEN to the token of a caller whose grant has managesKeys");
  if (known.hasId !== (id !== undefined)) {
    throw new KeyCommandError(known.hasId ? `keys ${action} takes the id of a key` : `keys ${action} takes no id`);
  }
  const base = `${gateway.replace(/\/+$/, "").replace(/\/v1$/, "")}/v1/keys`;
  const ask = async (path: string) => {
    const response = await send(`${base}${path}`, {
      method: known.method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(known.hasGrant && { body: JSON.stringify(grant) }),
    }).catch((error: unknown) => {
      throw new KeyCommandError(
        `The gateway cannot be reached: ${error instanceof Error ? error.message : "no answer"}`,
      );
    });
    const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    if (response.ok) return body;
    const { message = "it did not say why" } = (body.error ?? {}) as { message?: string };
    throw new KeyCommandError(`The gateway refused (${response.status}): ${message}`);
  };
  if (action !== "list")
    return print(JSON.stringify(await ask(id === undefined ? "" : `/${encodeURIComponent(id)}`), null, 2));
  for (let after = ""; ; ) {
    const { data, has_more } = (await ask(`?after=${encodeURIComponent(after)}`)) as {
      data: { id: string }[];
      has_more: boolean;
    };
    for (const key of data) print(JSON.stringify(key));
    after = data.at(-1)?.id ?? "";
    if (!has_more || after === "") return;
  }
}
