import { Document, isCollection, isPair, isScalar, visit } from "yaml";
import type { Plain, PlainSection } from "../experiment/fields.ts";
import type { Sweep } from "./points.ts";

/** An experiment file with which the sweep can be measured again: what the points share, and each point's own part. */
export function experimentText({ comparison, points }: Sweep): string {
  const { common, differing } = comparison;
  const records = points.map(({ record }) => record);
  const own = differing.filter((values) => Object.keys(values).length > 0);
  if (records.length === 1 || own.length === 0) return yaml(common);
  // What a file's points do not all have cannot stand in its base, from which no point could take it away.
  const everywhere = (path: string): boolean => differing.every((values) => Object.hasOwn(values, path));
  const [first = {}] = differing;
  const base = Object.entries(first).filter(([path]) => everywhere(path));
  let whole = common;
  for (const [path, value] of base) whole = withValue(whole, path.split("."), value);
  return yaml({ ...whole, sweep: { list: differing } });
}

function withValue(section: PlainSection, [key = "", ...rest]: readonly string[], value: Plain): PlainSection {
  if (rest.length === 0) return { ...section, [key]: value };
  const inner = section[key];
  return { ...section, [key]: withValue((inner ?? {}) as PlainSection, rest, value) };
}

/** Sections within sections on one line, as people write them. */
function yaml(value: PlainSection): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Collection(_key, node, path) {
      const depth = path.filter((parent) => isCollection(parent)).length;
      const list = path.some((parent) => isPair(parent) && isScalar(parent.key) && parent.key.value === "sweep");
      node.flow = depth > (list ? 2 : 0);
    },
  });
  return document.toString({ lineWidth: 0 });
}
