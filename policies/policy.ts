import type { Random } from "../scheduler/shared/random.ts";
import type { CallTerms, Lane } from "../scheduler/shared/vocabulary.ts";
import type { DeadlineSpec } from "./deadline/spec.ts";
import type { Learning } from "./learning/learning.ts";
import type { CopyOutcome, PlainData, PolicyMemory } from "./memory.ts";
import { POLICY_KINDS, problemOfParameters } from "./parameters.ts";
import type { PeerSpec } from "./peers/specs.ts";
import { problemOfRules, type RulesSpec } from "./rules.ts";
import type { ServiceTimes } from "./service-times.ts";

/** A policy as data: what the journal, the command line and experiment files hold. */
export type PolicySpec = LeafSpec | RulesSpec;

/** A policy for all races, or for those that a rule gives it. */
export type LeafSpec =
  /** That many copies at once; a failed one is replaced. */
  | { readonly kind: "fixed"; readonly copies: number }
  /** One copy, then another each `delayMs` while the job lingers, up to `maxCopies`; a failed one is replaced at once. */
  | { readonly kind: "hedge"; readonly delayMs: number; readonly maxCopies: number }
  | DeadlineSpec
  | PeerSpec;

/** What a policy sees of a race. */
export interface RacePicture {
  /** No two races have the same; what is drawn for a race once and for all is drawn from it. */
  readonly id: number;
  readonly call: CallTerms;
  readonly lane: Lane;
  readonly openedUs: number;
  /** When the last block that may carry the result seals. */
  readonly deadlineUs: number;
  /** When its answer should be in, verification apart; `NEVER` when any time will do. Not after the deadline. */
  readonly targetUs: number;
  /** The same for the block that was open when the race opened, and from one block to the next; `NEVER` without blocks. */
  readonly firstBlockUs: number;
  readonly blockUs: number;
  /** What nodes that serve it ask for an answer, on average. */
  readonly askedGwei: number;
  /** Copies that can still win: sent, running or verifying. */
  readonly live: number;
  /** Accepted answers that it takes before the race is decided: 1, or more where the conflict rule compares several. */
  readonly missing: number;
  /** Copies launched so far, ended ones included. */
  readonly launched: number;
  /** Copies that ended without an accepted answer. */
  readonly lost: number;
  /** In launch order, ended ones included; a race of very many copies forgets ended ones. */
  readonly copies: readonly CopyPicture[];
  /** What its policy remembers of the races of its (model, mode); `undefined` for a policy that remembers nothing. */
  readonly memory: PolicyMemory | undefined;
  /** What has been learned of durations in its (model, mode); `undefined` as long as no policy there asks for it. */
  readonly learning: Learning | undefined;
  /** Counted when it is asked for, node by node. */
  readonly room: Room;
}

/** How busy the nodes are that could serve the race. */
export interface Room {
  /** Copies that run, and those that could at one time. */
  readonly busy: number;
  readonly slots: number;
  /** Nodes with a free slot that have no copy of the race. */
  readonly idle: number;
}

/** What a policy sees of a copy. */
export interface CopyPicture {
  readonly node: { readonly id: string; readonly slots: number };
  readonly launchedUs: number;
  /** When its node had a slot for it, as far as is known here; `NEVER` before. */
  readonly startedUs: number;
  /** Copies on its node when it was launched, those that ran included. */
  readonly ahead: number;
  /** When its answer came; `NEVER` before. */
  readonly answeredUs: number;
  readonly speculative: boolean;
  /** It can still win: sent, running or verifying. */
  readonly live: boolean;
  /** Its answer was accepted, and waits for others. */
  readonly held: boolean;
  /** When it ended, by a verdict, a failure, silence or cancelling; `NEVER` before. */
  readonly endedUs: number;
  /** How it ended; `undefined` before. */
  readonly outcome: CopyOutcome | undefined;
}

/** Copies that race each other: those that can still win, less those that are needed besides for a quorum. */
export function racing({ live, missing }: Pick<RacePicture, "live" | "missing">): number {
  return live - missing + 1;
}

/** What a policy sees of the surroundings. */
export interface Surroundings {
  nowUs: number;
  /** Learned durations of the job's (model, mode), from dispatch to answer. */
  serviceTimes: ServiceTimes;
  /** Work that a speculative copy of this class and sender may still reserve. */
  budgetUs: number;
  /** Distinct failure domains that could run the job. */
  domains: number;
  /** The engine's own generator, for rules that draw lots. */
  random: Random;
}

/** Written by the policy, read by the engine at once; reused so that a decision allocates nothing. */
export interface Decision {
  /** How many copies to launch now. */
  launch: number;
  /** When to look again if nothing happens before; `NEVER` for not at all. */
  lookAtUs: number;
}

/** Why a policy would launch when it would, for a person. */
export interface Explanation {
  /** Sentences, in order. */
  readonly words: readonly string[];
  /** What they rest on, by name, units last. */
  readonly numbers: Readonly<Record<string, number>>;
}

/**
 * Decides when another copy is launched. It looks only at what it is shown, and keeps nothing but its memory, which it never
 * writes while deciding. It is asked when a race's first copy is on its way, when a copy is lost, and at each look that it
 * asked for. A job whose answer is not in is never left without a copy on purpose: what is lost is replaced.
 */
export interface Policy {
  readonly spec: LeafSpec;
  decide(race: RacePicture, surroundings: Surroundings, decision: Decision): void;
  /** Whether it plans by what is learned of sizes, nodes and correlation. */
  readonly learns?: boolean;
  /** The block by which it wants calls sealed, 1 being the open one; missing where their last one will do. */
  readonly withinBlocks?: number;
  /** What it makes of a race as it stands, for who asks; decides nothing. Missing where the parameters say it all. */
  explain?(race: RacePicture, surroundings: Surroundings): Explanation;
  /** A fresh memory, or the one of a snapshot: one for each (model, mode). Missing for a policy that remembers nothing. */
  remember?(snapshot?: PlainData): PolicyMemory;
}

/** Throws a RangeError for what is no policy: races under it would never launch, or the journal not give it back as it was. */
export function requirePolicy(spec: PolicySpec): void {
  const problem = problemOf(spec);
  if (problem !== undefined) throw new RangeError(`${JSON.stringify(spec)} is no policy: ${problem}`);
}

/** What is wrong with it, for a person to read; `undefined` when nothing is. */
export function problemOf(spec: PolicySpec): string | undefined {
  switch (spec.kind) {
    case "rules":
      return problemOfRules(spec, problemOf);
    case "fixed":
      return isCount(spec.copies) ? undefined : "copies must be a positive integer";
    case "hedge":
      if (!(spec.delayMs >= 1 && Number.isFinite(spec.delayMs))) return "delayMs must be a number of at least 1";
      return isCount(spec.maxCopies) ? undefined : "maxCopies must be a positive integer";
    default:
      // What comes from outside may be of a kind that there is none of.
      return Object.hasOwn(POLICY_KINDS, spec.kind) ? problemOfParameters(spec) : "there is no such policy";
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}
