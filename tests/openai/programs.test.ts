/**
 * Every program of the table prints the same, and asks the same, with `openai` and with `chatwire/openai`; those whose output
 * is to differ do, and docs/from-openai.md says why.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { compare } from "./compare.ts";
import { programs } from "./programs.ts";
import { closeServer } from "./server.ts";

const text = await readFile(new URL("../../docs/from-openai.md", import.meta.url), "utf8");
/** The names of the differences, which are the first cells of the table. */
const documented = new Set([...text.matchAll(/^\| \*\*(.+?)\*\* \|/gm)].map(([, name]) => name));

after(closeServer);

for (const [group, table] of Object.entries(programs)) {
  describe(group, { concurrency: 8 }, () => {
    for (const [name, one] of Object.entries(table)) {
      const { program, differs } = typeof one === "function" ? { program: one, differs: undefined } : one;
      it(differs ? `${name} (differs: ${differs})` : name, { timeout: 30_000 }, async () => {
        const { openai, chatwire } = await compare(program);
        if (differs === undefined) return assert.equal(chatwire, openai);
        assert.ok(documented.has(differs), `docs/from-openai.md has no difference called "${differs}"`);
        return assert.notEqual(
          chatwire,
          openai,
          "it is the same by now: say so in the table and in docs/from-openai.md",
        );
      });
    }
  });
}

it("are 120 at least", () => {
  const count = Object.values(programs).reduce((sum, table) => sum + Object.keys(table).length, 0);
  assert.ok(count >= 120, `${count} programs`);
});
