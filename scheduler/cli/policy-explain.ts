import { POLICY_KINDS } from "../../policies/parameters.ts";
import type { LeafSpec, PolicySpec } from "../../policies/policy.ts";
import { failing, type RuleConditions, ruleFor } from "../../policies/rules.ts";
import type { PlacementSpec } from "../../policies/placement.ts";
import { identityOf, type PolicyIdentity } from "../files/policy-version.ts";
import { NEVER } from "../shared/vocabulary.ts";
import { type ExplainJob, readJob } from "./explain-job.ts";
import { expectedWorkUs, prospects } from "./explain-numbers.ts";
import { type DryRace, dryRace, rankedNodes } from "./explain-race.ts";
import { explainText } from "./explain-text.ts";
import { callOf, type ExplainWorld, worldOfJournal, worldOfLaw } from "./explain-world.ts";
import { namedPolicy } from "./named-policy.ts";
import { orRefuse } from "./recorded-work.ts";
import { EXIT } from "./sim-experiments.ts";

/** What `pipe policy explain --json` prints. Times in microseconds from the race's opening. */
export interface ExplainReport {
  readonly job: ExplainJob;
  readonly policy: PolicyIdentity;
  /** Each rule up to the one that the call takes, and why the earlier ones are not for it; empty for a policy without rules. */
  readonly rules: readonly TriedRule[];
  readonly takes: { readonly policy: LeafSpec; readonly placement: PlacementSpec };
  /** What the kind of policy is, what its parameters are, and what it says itself of this race. */
  readonly words: readonly string[];
  readonly numbers: Readonly<Record<string, number>>;
  /** `undefined` as long as no copy came to its end. */
  readonly durations:
    | {
        readonly observed: number;
        readonly p50Us: number | null;
        readonly p95Us: number | null;
        readonly p99Us: number | null;
      }
    | undefined;
  readonly race: DryRace;
  /** One for each launch, in order; empty when nothing is known of durations. */
  readonly launches: readonly { readonly needed: number; readonly onTime: number }[];
  readonly expectedWorkUs: number | undefined;
  readonly budget: { readonly spec: unknown; readonly availableUs: number | null };
  /** Best first: what the placement took when it was asked for as many copies as a race may have. */
  readonly nodes: readonly NodeReport[];
}

export interface TriedRule {
  readonly name: string;
  /** The first condition that does not hold, what it says, and what the call has; `undefined` for the rule that it takes. */
  readonly fails:
    | { readonly condition: keyof RuleConditions; readonly wants: unknown; readonly has: unknown }
    | undefined;
}

export interface NodeReport {
  readonly id: string;
  readonly operator: string;
  readonly region: string;
  readonly load: number;
  readonly slots: number;
  readonly warm: boolean;
  readonly priceGwei: number | null;
}

/** Resolves to the exit code. Rejects with SimRefused. */
export async function policyExplain(options: {
  readonly job: string;
  readonly policy: string | undefined;
  readonly journal: string | undefined;
  readonly json: boolean;
}): Promise<number> {
  const job = readJob(options.job, options.journal);
  const named = options.policy === undefined ? undefined : await namedPolicy(options.policy, "--policy");
  return orRefuse(async () => {
    const world = job.journal === undefined ? worldOfLaw(job) : await worldOfJournal(job.journal);
    const policy = named === undefined || named.policy === "recorded" ? world.engine.policy : named.policy;
    const report = explain(world, job, policy);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : explainText(report));
    return EXIT.done;
  });
}

export function explain(world: ExplainWorld, job: ExplainJob, spec: PolicySpec): ExplainReport {
  const { engine } = world;
  const { rules, takes } = rulesFor(spec, job, engine.config.placement);
  const times = engine.timesOf(job.model, job.mode);
  const nodes = rankedNodes(world.copy(), job, takes.placement, engine.config.races.maxCopies);
  const about = nodes.map((id) => nodeReport(world, job, id));
  const { budgetUs } = engine.sizes;
  const race = dryRace(world.copy(), job, spec);
  const launchesUs = race.steps.flatMap((step) => (step.kind === "launched" ? step.atUs : []));
  const doneUs = race.deadlineUs - engine.config.races.verificationUs;
  const known = times?.known === true ? times : undefined;
  const quantile = (p: number) => known?.quantileUs(p) ?? null;
  return {
    job,
    policy: identityOf(spec),
    rules,
    takes,
    words: [inWords(takes.policy), ...race.explanations.flatMap(({ words }) => words)],
    numbers: Object.assign({}, ...race.explanations.map(({ numbers }) => numbers)) as Record<string, number>,
    durations:
      known === undefined
        ? undefined
        : { observed: known.weight, p50Us: quantile(0.5), p95Us: quantile(0.95), p99Us: quantile(0.99) },
    race,
    launches: known === undefined ? [] : prospects(launchesUs, doneUs, known),
    expectedWorkUs: known === undefined ? undefined : expectedWorkUs(launchesUs, doneUs, known),
    budget: { spec: budgetOf(spec, engine.config.budget), availableUs: budgetUs === NEVER ? null : budgetUs },
    nodes: about,
  };
}

function budgetOf(spec: PolicySpec, configured: unknown): unknown {
  return spec.kind === "rules" ? (spec.budget ?? configured) : configured;
}

function rulesFor(spec: PolicySpec, job: ExplainJob, placement: PlacementSpec): Pick<ExplainReport, "rules" | "takes"> {
  if (spec.kind !== "rules") return { rules: [], takes: { policy: spec, placement } };
  const call = callOf(job, "");
  const taken = ruleFor(spec, call, job.sender);
  const tried = spec.rules.slice(0, spec.rules.indexOf(taken) + 1);
  const has = {
    models: job.model,
    modes: job.mode,
    senders: job.sender,
    minFeeGwei: job.maxFeeGwei,
    maxFeeGwei: job.maxFeeGwei,
  };
  return {
    rules: tried.map(({ name, when }) => {
      const condition = failing(when, call, job.sender);
      return { name, fails: condition && { condition, wants: when[condition], has: has[condition] } };
    }),
    takes: { policy: taken.policy, placement: taken.placement ?? spec.placement ?? placement },
  };
}

/** What every kind can say of itself: its meaning, and what it was given. */
function inWords(spec: LeafSpec): string {
  const { kind, ...given } = spec;
  const parameters = Object.entries(given).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return `${kind}: ${POLICY_KINDS[kind].means} (${parameters.join(", ")}).`;
}

function nodeReport({ engine, nodes }: ExplainWorld, { model, mode }: ExplainJob, id: string): NodeReport {
  const terms = nodes.get(id);
  const state = engine.snapshot().fleet.nodes.find((node) => node.id === id);
  return {
    id,
    operator: terms?.operator ?? "",
    region: terms?.region ?? "",
    load: state?.load ?? 0,
    slots: terms?.slots ?? 0,
    warm: state?.warm.includes(model) ?? false,
    priceGwei: terms?.offers.find((offer) => offer.model === model && offer.mode === mode)?.priceGwei ?? null,
  };
}
