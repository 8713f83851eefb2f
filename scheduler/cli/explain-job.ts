import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { SERVICE } from "../../sim/experiment/format-service.ts";
import { normaliseService } from "../../sim/experiment/normalise.ts";
import type { ServiceSpec } from "../../sim/experiment/types.ts";
import type { Fields, PlainSection } from "../fields/fields.ts";
import { isSection } from "../fields/fields.ts";
import { integer, number, value } from "../fields/field-makers.ts";
import { FIELD_LIMITS } from "../fields/limits.ts";
import { checkFields, inside, type Place, trouble } from "../files/check.ts";
import { readYaml } from "../files/yaml.ts";
import type { Mode } from "../shared/vocabulary.ts";
import { MODES } from "../shared/vocabulary.ts";
import { SimRefused } from "./sim-experiments.ts";

/** A call that somebody wonders about, and the world that it would meet. */
export interface ExplainJob {
  readonly model: string;
  readonly mode: Mode;
  readonly sender: string;
  readonly maxFeeGwei: number;
  readonly tokensIn: number;
  readonly tokensOut: number;
  /** It is worth something if it is sealed in one of so many blocks, the open one first. */
  readonly blocks: number;
  readonly blockMs: number;
  /** Durations, nodes, loads and budget as a live run left them. */
  readonly journal: string | undefined;
  /** Or durations by a law, on nodes that are idle. */
  readonly service: ServiceSpec | undefined;
  readonly fleet: { readonly nodes: number; readonly slots: number; readonly priceGwei: number };
}

const MAX_BYTES = 1_000_000;
const MAX_FEE_GWEI = 1_000_000_000;

/** Every key of a job file, in the order of the docs. */
export const JOB_FIELDS: Fields = {
  model: { type: "name", maxLength: 256, means: "which model is asked" },
  mode: { type: "word", words: MODES, means: "of verification", absent: value("vanilla") },
  sender: { type: "name", maxLength: 256, means: "who signs", absent: value("somebody") },
  maxFeeGwei: integer("what the sender would pay: the call's value", {
    atLeast: 0,
    atMost: MAX_FEE_GWEI,
    absent: value(1_000_000),
  }),
  tokensIn: integer("tokens of the question", { atLeast: 1, atMost: 2 ** 24, absent: value(100) }),
  tokensOut: integer("tokens asked for", { atLeast: 1, atMost: 2 ** 24, absent: value(100) }),
  blocks: integer("blocks in which it may be sealed, the open one first", {
    atLeast: 1,
    atMost: 1_024,
    absent: value(24),
  }),
  blockMs: number("time between blocks", { atLeast: 1, atMost: FIELD_LIMITS.ms, absent: value(500) }),
  journal: {
    type: "file",
    means: "what a live run kept: durations, nodes, loads and budget are as it left them",
    absent: { derived: "none" },
  },
  service: { ...SERVICE, means: "or how long a copy takes, on idle nodes", absent: { derived: "none" } },
  fleet: {
    type: "section",
    means: "those nodes, each of another operator",
    absent: { derived: "as its keys say" },
    fields: {
      nodes: integer("how many", { atLeast: 1, atMost: 256, absent: value(8) }),
      slots: integer("copies that each runs at once", { atLeast: 1, atMost: 256, absent: value(4) }),
      priceGwei: integer("what each asks", { atLeast: 0, atMost: MAX_FEE_GWEI, absent: value(0) }),
    },
  },
};

/** Reads a job file; with `journal`, its durations come from there. Throws SimRefused. */
export function readJob(file: string, journal: string | undefined): ExplainJob {
  const read = readYaml(textOf(file), MAX_BYTES);
  if (!read.ok) throw new SimRefused(read.troubles.map((one) => `${file}: ${one}`).join("\n"));
  const { value: said, placeOf } = read.text;
  if (!isSection(said)) throw new SimRefused(`${file}: must be a section of keys such as \`model: chat-mini\``);
  const place: Place = { path: [], directory: dirname(file), troubles: [], depth: 0 };
  const job = jobOf(checkFields(JOB_FIELDS, said, place), journal, place);
  if (place.troubles.length === 0 && job !== undefined) return job;
  const lines = place.troubles.map(({ path, message }) => {
    const at = placeOf(path);
    return `${[file, at?.line, at?.column].filter((part) => part !== undefined).join(":")}: ${path.join(".")}: ${message}`;
  });
  throw new SimRefused(lines.join("\n"));
}

function jobOf(checked: PlainSection, journal: string | undefined, place: Place): ExplainJob | undefined {
  if (place.troubles.length > 0) return undefined;
  const { service: law, journal: own, ...rest } = checked;
  const from = journal ?? own;
  if (law !== undefined && from !== undefined) {
    return trouble(inside(place, "service"), "is given, and a journal, too; leave one of them out");
  }
  if (law === undefined && from === undefined) {
    return trouble(inside(place, "service"), "is missing, and there is no journal either: how long do copies take?");
  }
  const service = law === undefined ? undefined : normaliseService(law as PlainSection, inside(place, "service"));
  // The table of the format describes this type.
  return { ...rest, journal: from, service } as unknown as ExplainJob;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SimRefused(`${file}: cannot be read (${code ?? message})`, { cause: error });
  }
}
