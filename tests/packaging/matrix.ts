/** The matrix in docs/runtimes.md: read, so that a run of a few set-ups keeps the other rows, and written. */

/** One line of it. */
export interface Row {
  family: string;
  name: string;
  version: string;
  /** The set-up that was tried. */
  what: string;
  verdict: string;
  /** The line that the tool needs. */
  recipe: string;
}

const BEGIN = "<!-- matrix -->";
const END = "<!-- /matrix -->";

/** The rows of a document, by family, name and what was tried. */
export function readMatrix(document: string): Map<string, Row> {
  const rows = new Map<string, Row>();
  let family = "";
  for (const line of between(document).split("\n")) {
    family = /^### (.+)$/.exec(line)?.[1]?.toLowerCase() ?? family;
    const cells = line.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, ""));
    const [name = "", version = "", what = "", verdict = "", recipe = ""] = cells;
    if (cells.length !== 5 || name === "set-up" || name.startsWith("---")) continue;
    rows.set(`${family}/${name}/${what}`, {
      family,
      name,
      version,
      what,
      verdict,
      recipe: recipe.replaceAll("\\|", "|"),
    });
  }
  return rows;
}

/** The document with these rows in place of its own. */
export function withMatrix(document: string, rows: Row[]): string {
  const families = [...new Set(rows.map(({ family }) => family))];
  const tables = families.map((family) => {
    const lines = rows
      .filter((row) => row.family === family)
      .map(
        ({ name, version, what, verdict, recipe }) =>
          `| ${[name, version, what, verdict, recipe.replaceAll("|", "\\|")].join(" | ")} |`,
      );
    const title = family[0]?.toUpperCase() + family.slice(1);
    return [
      `### ${title}`,
      "",
      "| set-up | version | tried | verdict | to write |",
      "|---|---|---|---|---|",
      ...lines,
    ].join("\n");
  });
  return document.replace(`${BEGIN}${between(document)}${END}`, () => `${BEGIN}\n${tables.join("\n\n")}\n${END}`);
}

function between(document: string): string {
  return document.slice(document.indexOf(BEGIN) + BEGIN.length, document.indexOf(END));
}
