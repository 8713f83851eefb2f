import { Document, isCollection, isPair, isScalar, visit } from "yaml";
import type { Plain, PlainSection } from "../../scheduler/fields/fields.ts";
import type { Sweep } from "./points.ts";

/** An experiment file with which the sweep can be measured again: what the points share, and each point's own part. */
export function experimentText({ common, points }: Sweep): string {
  const own = points.map((point) => point.own);
  const [first = {}] = own;
  if (points.length === 1 || own.every((values) => Object.keys(values).length === 0)) return yaml(common);
  // What not all points have cannot stand in the file's base, from which no point could take it away.
  const everywhere = Object.keys(first).filter((path) => own.every((values) => Object.hasOwn(values, path)));
  let base = common;
  for (const path of everywhere) base = withValue(base, path.split("."), first[path] as Plain);
  return yaml({ ...base, sweep: { list: own } });
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
