import type { Mode, ServiceStatistics } from "../index.ts";
import type { LatencySummary } from "../live/latency.ts";
import type { DemoOptions } from "./demo-options.ts";
import type { Registry } from "../registry/registry.ts";
import { setupOf } from "../proofs/zkml/setup.ts";
import { type PolicyIdentity, shortVersion } from "../files/policy-version.ts";
import { MODES } from "../shared/vocabulary.ts";
import { type DemoTally, sum } from "./demo-tally.ts";

/** What a block producer wants to know afterwards; `--json` prints it. Counts unless the name says otherwise. */
export interface DemoSummary {
  readonly blocks: number;
  readonly nodes: number;
  readonly seed: number;
  readonly policy: string;
  readonly latency: "modelled" | "none";
  readonly workload: string;
  readonly transactions: {
    readonly submitted: number;
    readonly accepted: number;
    readonly refused: Readonly<Record<string, number>>;
    readonly sealed: number;
    readonly sealedWithInference: number;
    readonly slowLane: number;
    readonly refunded: number;
    readonly refundedBecause: Readonly<Record<string, number>>;
    readonly pending: number;
  };
  /** Blocks that inference added: between the block open at admission and the one that carried the transaction. */
  readonly blocksAdded: { readonly p50: number; readonly p99: number };
  readonly latencyMs: Readonly<Record<"job" | "verification" | "admissionToSeal", LatencySummary>>;
  /** How late blocks were sealed after their cut-off. */
  readonly sealDelayMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly copies: {
    readonly launched: number;
    readonly speculative: number;
    readonly speculativeWins: number;
    readonly stragglersCancelled: number;
    readonly lost: Readonly<Record<string, number>>;
  };
  readonly proofs: {
    readonly accepted: number;
    readonly rejected: number;
    readonly rejectedBecause: Readonly<Record<string, number>>;
  };
  /** Races decided in each mode that was asked for, from their opening to the decision. */
  readonly modes: Readonly<Partial<Record<Mode, ModeSummary>>>;
  /** Calls that several operators had to answer, and accepted answers that did not fit the others'. */
  readonly agreement: { readonly calls: number; readonly outvoted: number };
  /** Sealed results in mode `optimistic` that were asked again, by how that ended. */
  readonly challenges: {
    readonly ended: number;
    readonly byVerdict: Readonly<Record<string, number>>;
    readonly forfeitedGwei: number;
    /** Nodes that were shown to be wrong, and how often. */
    readonly caught: Readonly<Record<string, number>>;
  };
  readonly work: { readonly primaryS: number; readonly speculativeS: number; readonly extraPercent: number };
  readonly fees: {
    readonly escrowedGwei: number;
    readonly paidGwei: number;
    readonly refundedGwei: number;
    readonly heldGwei: number;
  };
  /** Σ paid + Σ refunded + Σ held = Σ escrowed, added up again from what the engine reports. */
  readonly ledgerBalanced: boolean;
  readonly quarantines: number;
  /** Events that came faster than they could be counted. Where there are some, counts of copies are too low. */
  readonly missedEvents: number;
  /** Where journal, receipts and latencies are; null when they were not kept. */
  readonly out: string | null;
}

export interface ModeSummary {
  readonly wins: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Why its proofs secure nothing here: emulated enclaves, or the setup of the keys; "" for no such reason. */
  readonly caveat: string;
}

/** Words with which a verifier rejects, or begins to; everything else that ends a copy is the node's own failure. */
const VERIFIER_WORDS =
  /^(?:answer-missing|unknown-node|output-too-large|output-mismatch|wrong-proof-kind|bad-signature|not-attested|other-attestation|node-queue-full|attestation-.*|zk-.*|verifier-.*)$/;

/** What of the scheduler's statistics is summed up. */
export interface SummedStatistics {
  readonly counters: Pick<ServiceStatistics["counters"], "workUs" | "speculativeWorkUs" | "proofsRejected">;
  readonly sizes: Pick<ServiceStatistics["sizes"], "pending">;
  readonly ledger: ServiceStatistics["ledger"];
  readonly policy: PolicyIdentity;
}

function policyInWords(policy: PolicyIdentity): string {
  const { name, origin } = policy;
  return origin === undefined ? name : `${name} of ${origin}, version ${shortVersion(policy)}`;
}

export function summarise(parts: {
  options: DemoOptions;
  tally: DemoTally;
  statistics: SummedStatistics;
  latency: (name: "job" | "verification" | "seal") => LatencySummary;
  sealDelaysMs: readonly number[];
  registry: Pick<Registry, "models" | "roots">;
}): DemoSummary {
  const { options, tally, statistics, latency, sealDelaysMs, registry } = parts;
  const { counters, ledger, sizes } = statistics;
  const isVerdict = (reason: string) => VERIFIER_WORDS.test(reason);
  const primaryUs = counters.workUs - counters.speculativeWorkUs;
  return {
    blocks: tally.blocks,
    nodes: options.nodes,
    seed: options.seed,
    policy: policyInWords(statistics.policy),
    latency: options.latency,
    workload: options.trace ?? `made up, ${options.ratePerS} transactions per second`,
    transactions: {
      submitted: tally.submitted,
      accepted: tally.accepted,
      refused: Object.fromEntries(tally.refused),
      sealed: tally.sealed,
      sealedWithInference: tally.sealedWithCalls,
      slowLane: tally.sealedSlow,
      refunded: sum(tally.refunded),
      refundedBecause: Object.fromEntries(tally.refunded),
      pending: sizes.pending,
    },
    blocksAdded: { p50: percentile(tally.blocksWaited, 0.5), p99: percentile(tally.blocksWaited, 0.99) },
    latencyMs: {
      job: belowMax(latency("job")),
      verification: belowMax(latency("verification")),
      admissionToSeal: belowMax(latency("seal")),
    },
    sealDelayMs: {
      p50: thousandths(percentile(sealDelaysMs, 0.5)),
      p99: thousandths(percentile(sealDelaysMs, 0.99)),
      max: thousandths(percentile(sealDelaysMs, 1)),
    },
    copies: {
      launched: tally.launched,
      speculative: tally.speculative,
      speculativeWins: tally.speculativeWins,
      stragglersCancelled: tally.cancelled,
      lost: pick(tally.lost, (reason) => !isVerdict(reason)),
    },
    proofs: {
      accepted: tally.decided,
      rejected: counters.proofsRejected,
      rejectedBecause: pick(tally.lost, isVerdict),
    },
    modes: modesOf(tally, registry),
    agreement: { calls: tally.backed, outvoted: tally.outvoted },
    challenges: {
      ended: sum(tally.challenges),
      byVerdict: Object.fromEntries(tally.challenges),
      forfeitedGwei: tally.forfeitedGwei,
      caught: Object.fromEntries(tally.caught),
    },
    work: {
      primaryS: thousandths(primaryUs / 1e6),
      speculativeS: thousandths(counters.speculativeWorkUs / 1e6),
      extraPercent: primaryUs === 0 ? 0 : thousandths((100 * counters.speculativeWorkUs) / primaryUs),
    },
    fees: {
      escrowedGwei: ledger.escrowedGwei,
      paidGwei: ledger.paidGwei,
      refundedGwei: ledger.refundedGwei,
      heldGwei: ledger.heldGwei,
    },
    ledgerBalanced: ledger.paidGwei + ledger.refundedGwei + ledger.heldGwei === ledger.escrowedGwei,
    quarantines: tally.quarantines,
    missedEvents: tally.missedEvents,
    out: options.out ?? null,
  };
}

function modesOf({ byMode }: DemoTally, registry: Pick<Registry, "models" | "roots">): DemoSummary["modes"] {
  const modes: { [mode in Mode]?: ModeSummary } = {};
  for (const mode of MODES) {
    const { wins, latenciesMs } = byMode.get(mode) ?? { wins: 0, latenciesMs: [] };
    const [p50Ms, p99Ms] = [percentile(latenciesMs, 0.5), percentile(latenciesMs, 0.99)].map(thousandths);
    const caveat = caveatOf(mode, registry);
    if (wins > 0) modes[mode] = { wins, p50Ms: p50Ms as number, p99Ms: p99Ms as number, caveat };
  }
  return modes;
}

/** Whoever shows proofs shows what they rest on. */
function caveatOf(mode: Mode, { models, roots }: Pick<Registry, "models" | "roots">): string {
  if (mode === "tee" && roots.some(({ emulator }) => emulator)) return "emulated enclaves, which protect nothing";
  if (mode !== "zkml") return "";
  const setups = [...models.values()].flatMap(({ rules }) => (rules.zkml === undefined ? [] : [setupOf(rules.zkml)]));
  return [...new Set(setups)].join("; ");
}

function pick(counts: ReadonlyMap<string, number>, wanted: (key: string) => boolean): Record<string, number> {
  return Object.fromEntries([...counts].filter(([key]) => wanted(key)));
}

/** A histogram answers with the upper end of a bucket, which may lie above the greatest value. */
function belowMax({ count, p50Ms, p99Ms, maxMs }: LatencySummary): LatencySummary {
  return { count, p50Ms: Math.min(p50Ms, maxMs), p99Ms: Math.min(p99Ms, maxMs), maxMs };
}

function thousandths(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

/** Smallest value that at least this share of the values does not exceed; 0 for none. */
function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** The summary for people, within 80 columns unless there is much to list. */
export function formatSummary(s: DemoSummary): string {
  const t = s.transactions;
  const ms = (value: number) => `${value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en-US")} ms`;
  const gwei = (value: number) => `${value.toLocaleString("en-US")} gwei`;
  const { job, verification, admissionToSeal } = s.latencyMs;
  const rows: [string, string][] = [
    ["transactions submitted", `${t.submitted}`],
    ["  accepted", `${t.accepted}`],
    ["  refused", `${total(t.refused)}${listed(t.refused, ": ")}`],
    ["  sealed", `${t.sealed} (${t.sealedWithInference} with inference)`],
    ["  of these in the slow lane", `${t.slowLane}`],
    ["  refunded", `${t.refunded}${listed(t.refundedBecause, ": ")}`],
    ["blocks sealed", `${s.blocks}, after the cut-off by p50 ${ms(s.sealDelayMs.p50)}, p99 ${ms(s.sealDelayMs.p99)}`],
    ["blocks added by inference", `p50 ${s.blocksAdded.p50}, p99 ${s.blocksAdded.p99}`],
    ["job latency", `p50 ${ms(job.p50Ms)}, p99 ${ms(job.p99Ms)}, max ${ms(job.maxMs)}`],
    ...Object.entries(s.modes).flatMap(([mode, { wins, p50Ms, p99Ms, caveat }]): [string, string][] => [
      [`  ${mode}`, `${wins} won, p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}`],
      ...(caveat === "" ? [] : [["", caveat] as [string, string]]),
    ]),
    ["admission to seal", `p50 ${ms(admissionToSeal.p50Ms)}, p99 ${ms(admissionToSeal.p99Ms)}`],
    ["verification", `p50 ${ms(verification.p50Ms)}, p99 ${ms(verification.p99Ms)}`],
    ["copies launched", `${s.copies.launched}, of these ${s.copies.speculative} speculative`],
    ["wins by speculative copies", `${s.copies.speculativeWins}`],
    ["stragglers cancelled", `${s.copies.stragglersCancelled}`],
    ["copies lost", `${total(s.copies.lost)}${listed(s.copies.lost, ": ")}`],
    ["proofs rejected", `${s.proofs.rejected}${listed(s.proofs.rejectedBecause, ": ")}`],
    ["answers of several", `${s.agreement.calls} calls backed by others, ${s.agreement.outvoted} answers outvoted`],
    ["challenges", `${s.challenges.ended}${listed(s.challenges.byVerdict, ": ")}`],
    ["  bonds forfeited", `${gwei(s.challenges.forfeitedGwei)}${caught(s.challenges.caught)}`],
    ["quarantines of nodes", `${s.quarantines}`],
    [
      "extra work",
      `${s.work.extraPercent.toFixed(1)} % (${s.work.speculativeS.toFixed(1)} s speculative on ${s.work.primaryS.toFixed(1)} s)`,
    ],
    ["fees escrowed", gwei(s.fees.escrowedGwei)],
    ["  paid to nodes", gwei(s.fees.paidGwei)],
    ["  refunded to users", gwei(s.fees.refundedGwei)],
    ["  still held", gwei(s.fees.heldGwei)],
    ["ledger", s.ledgerBalanced ? "balanced: paid + refunded + held = escrowed" : "DOES NOT ADD UP"],
  ];
  if (s.missedEvents > 0) rows.push(["not counted", `${s.missedEvents} events, which came too fast`]);
  return rows.map(([name, value]) => `  ${name.padEnd(28)}${value}`).join("\n");
}

function caught(nodes: Readonly<Record<string, number>>): string {
  const parts = Object.entries(nodes).map(([node, times]) => `${node} lied ${times}×`);
  return parts.length === 0 ? "" : `: ${parts.join(", ")}`;
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}

function listed(counts: Readonly<Record<string, number>>, lead: string): string {
  const parts = Object.entries(counts).map(([key, count]) => `${count} ${key}`);
  return parts.length === 0 ? "" : `${lead}${parts.join(", ")}`;
}
