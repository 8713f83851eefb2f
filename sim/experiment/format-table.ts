import type { Field, Fields } from "../../scheduler/fields/fields.ts";
import { allowed } from "../../scheduler/fields/fields.ts";

/** The keys of an experiment file as a Markdown table, written from the fields that the parser checks. */
export function formatTable(fields: Fields): string {
  const rows = rowsOf(fields, { prefix: "", kind: "", chosen: false });
  return ["| Key | Value | If left out | Meaning |", "|---|---|---|---|", ...rows].join("\n");
}

/** `chosen`: the keys are of sets of which one is given, so that none of them must be there by itself. */
function rowsOf(fields: Fields, { prefix, kind, chosen }: { prefix: string; kind: string; chosen: boolean }): string[] {
  return Object.entries(fields).flatMap(([key, field]) => [
    `| \`${prefix}${key}\`${kind} | ${cell(allowed(field))} | ${chosen ? "see its kind" : absent(field)} | ${cell(field.means)} |`,
    ...innerRows(field, `${prefix}${key}.`),
  ]);
}

function innerRows(field: Field, prefix: string): string[] {
  if (field.type === "section") return rowsOf(field.fields, { prefix, kind: "", chosen: false });
  if (field.type === "sections") return rowsOf(field.fields, { prefix, kind: " of each", chosen: false });
  if (field.type !== "kinds") return [];
  return Object.entries(field.kinds).flatMap(([name, { means, fields, oneOf }]) => {
    const choice = oneOf === undefined ? "" : `: ${oneOf.map((keys) => `{${keys.join(", ")}}`).join(" or ")}`;
    return [
      `| \`${prefix}kind\` | \`${name}\`${choice} | | ${cell(means)} |`,
      ...rowsOf(fields, { prefix, kind: ` of ${name}`, chosen: oneOf !== undefined }),
    ];
  });
}

function absent({ absent: given }: Field): string {
  if (given === undefined) return "must be there";
  return "derived" in given ? cell(given.derived) : `\`${JSON.stringify(given.value).replaceAll('"', "")}\``;
}

/** A bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
