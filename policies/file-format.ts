import type { Fields } from "../scheduler/fields/fields.ts";
import { integer } from "../scheduler/fields/field-makers.ts";
import { MODES } from "../scheduler/shared/vocabulary.ts";
import { BUDGET, PLACEMENTS, POLICIES } from "./format.ts";
import { MAX_RULES } from "./rules.ts";

/** Longest name of a policy, a rule, a model or a sender in a policy file. */
const NAME = 256;
/** Conditions are looked at one by one whenever a race opens. */
const MAX_LISTED = 256;

const ANY = { derived: "any" };
const fee = (means: string) => integer(means, { atLeast: 0, atMost: Number.MAX_SAFE_INTEGER, absent: ANY });

const WHEN: Fields = {
  models: {
    type: "list",
    of: { type: "name", maxLength: NAME, means: "a model" },
    minItems: 1,
    maxItems: MAX_LISTED,
    means: "names, or patterns in which `*` stands for any characters",
    absent: ANY,
  },
  modes: {
    type: "list",
    of: { type: "word", words: MODES, means: "a mode" },
    minItems: 1,
    maxItems: MODES.length,
    means: "of verification",
    absent: ANY,
  },
  senders: {
    type: "list",
    of: { type: "name", maxLength: NAME, means: "a sender" },
    minItems: 1,
    maxItems: MAX_LISTED,
    means: "accounts that sign, as transactions name them",
    absent: ANY,
  },
  minFeeGwei: fee("lowest max fee of the call, in gwei: what its sender would pay"),
  maxFeeGwei: fee("highest one"),
};

const PLACEMENT = { type: "kinds", kinds: PLACEMENTS } as const;

/** Every key of a policy file, in the order of the docs. */
export const POLICY_FILE_FIELDS: Fields = {
  name: { type: "name", maxLength: NAME, means: "what logs, metrics and comparisons call it" },
  placement: {
    ...PLACEMENT,
    means: "on which node, for rules that do not say",
    absent: { derived: "the scheduler's own" },
  },
  budget: { ...BUDGET, absent: { derived: "the scheduler's own" } },
  rules: {
    type: "sections",
    maxItems: MAX_RULES,
    means: "in order: a call takes the first whose conditions all hold",
    fields: {
      name: { type: "name", maxLength: NAME, means: "what explanations call it" },
      when: {
        type: "section",
        fields: WHEN,
        means: "which calls it is for; the last rule has none, so that every call has a policy",
        absent: { derived: "every call" },
      },
      policy: { type: "kinds", kinds: POLICIES, means: "when another copy is launched" },
      placement: { ...PLACEMENT, means: "on which node", absent: { derived: "the file's `placement`" } },
    },
  },
};

/** A file of as many rules as there may be, each with as many models as it may list, fits; what is longer is no policy file. */
export const MAX_POLICY_FILE_BYTES = 256 * 1_024;
