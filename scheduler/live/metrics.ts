import { type Context, Metric } from "effect";
import type { Alarm } from "../engine/commands.ts";
import type { Command } from "../engine/recorder.ts";
import type { PolicyIdentity } from "../files/policy-version.ts";

const counters = {
  accepted: Metric.counter("pipe_transactions_accepted_total", {
    description: "Transactions admitted",
    incremental: true,
  }),
  rejected: Metric.counter("pipe_transactions_rejected_total", {
    description: "Transactions refused, by reason",
    incremental: true,
  }),
  refunded: Metric.counter("pipe_transactions_refunded_total", {
    description: "Transactions refunded, by reason",
    incremental: true,
  }),
  sealed: Metric.counter("pipe_transactions_sealed_total", {
    description: "Transactions sealed, by lane",
    incremental: true,
  }),
  launched: Metric.counter("pipe_copies_launched_total", {
    description: "Copies launched, by role",
    incremental: true,
  }),
  cancelled: Metric.counter("pipe_copies_cancelled_total", {
    description: "Copies cancelled, by reason",
    incremental: true,
  }),
  verdicts: Metric.counter("pipe_verdicts_total", {
    description: "Proofs judged, by reason and mode",
    incremental: true,
  }),
  decided: Metric.counter("pipe_jobs_decided_total", {
    description: "Races with a winner, by lane",
    incremental: true,
  }),
  blocks: Metric.counter("pipe_blocks_total", { description: "Blocks, by what became of them", incremental: true }),
  paid: Metric.counter("pipe_fees_paid_gwei_total", { description: "Fees paid to nodes, in gwei", incremental: true }),
  alarms: Metric.counter("pipe_alarms_total", { description: "Alarms, by kind", incremental: true }),
  denials: Metric.counter("pipe_budget_denials_total", {
    description: "Speculative copies that the work budget denied, by the bucket that had too little",
    incremental: true,
  }),
  evidence: Metric.counter("pipe_equivocations_total", { description: "Equivocations found", incremental: true }),
  policies: Metric.counter("pipe_policy_changes_total", {
    description: "Policies taken up, and policy files refused",
    incremental: true,
  }),
  events: Metric.counter("pipe_events_total", { description: "Events stepped", incremental: true }),
} as const;

const gauges = {
  nodes: Metric.gauge("pipe_nodes", { description: "Nodes joined" }),
  waiting: Metric.gauge("pipe_inbox_waiting", { description: "Events that wait for the loop" }),
  dropped: Metric.gauge("pipe_node_messages_dropped", { description: "Node messages that found no room" }),
  blobs: Metric.gauge("pipe_blob_bytes", { description: "Bytes of inputs and answers kept" }),
  proofs: Metric.gauge("pipe_proofs_waiting", { description: "Stages of proofs that wait for a verifier" }),
  journal: Metric.gauge("pipe_journal_backlog_bytes", { description: "Bytes that wait to become durable" }),
  policy: Metric.gauge("pipe_policy_info", { description: "1 for the policy in force, by name and version" }),
} as const;

const boundaries = Metric.exponentialBoundaries({ start: 0.001, factor: 2, count: 18 });

const histograms = {
  job: Metric.histogram("pipe_job_seconds", { description: "Race opened to decided", boundaries }),
  verification: Metric.histogram("pipe_verification_seconds", {
    description: "Winning answer to its verdict",
    boundaries,
  }),
  proofWait: Metric.histogram("pipe_proof_wait_seconds", {
    description: "What a proof waited for verifiers in all, by mode",
    boundaries: Metric.exponentialBoundaries({ start: 0.000_05, factor: 2, count: 18 }),
  }),
  seal: Metric.histogram("pipe_seal_seconds", { description: "Transaction admitted to sealed", boundaries }),
  journal: Metric.histogram("pipe_journal_seconds", { description: "Batch stepped to durable", boundaries }),
} as const;

export type CounterName = keyof typeof counters;
export type GaugeName = keyof typeof gauges;
export type HistogramName = keyof typeof histograms;

/** Every name that this file publishes; docs/METRICS.md describes each. */
export const METRIC_NAMES: readonly string[] = [counters, gauges, histograms].flatMap((group) =>
  Object.values(group).map(({ id }) => id),
);

type Attributes = Readonly<Record<string, string>>;

/** A policy for each hour of a day: the series of metrics are never taken back. */
const MAX_POLICIES = 24;

/** Keeps Effect's metrics from plain code: the loop is no fiber. */
export class Metrics {
  readonly #context: Context.Context<never>;
  /** Counters and histograms with their attributes, made once each. The values are words of closed unions, so there are few. */
  readonly #counters = new Map<string, Metric.Metric<number, Metric.CounterState<number>>>();
  readonly #histograms = new Map<string, Metric.Metric<number, Metric.HistogramState>>();

  readonly #policies = new Map<string, Metric.Metric<number, Metric.GaugeState<number>>>();

  constructor(context: Context.Context<never>) {
    this.#context = context;
  }

  count(name: CounterName, amount: number, attributes?: Attributes): void {
    if (amount > 0) this.#counter(name, attributes).updateUnsafe(amount, this.#context);
  }

  gauge(name: GaugeName, value: number): void {
    gauges[name].updateUnsafe(value, this.#context);
  }

  /** Which policy is in force. After very many of them their names are not told apart any more. */
  policy({ name, version }: Pick<PolicyIdentity, "name" | "version">): void {
    const known = this.#policies.has(`${gauges.policy.id}/${name}/${version}`);
    const told = known || this.#policies.size < MAX_POLICIES ? { name, version } : { name: "others", version: "" };
    for (const earlier of this.#policies.values()) earlier.updateUnsafe(0, this.#context);
    attributed(this.#policies, gauges.policy, told).updateUnsafe(1, this.#context);
  }

  observeUs(name: HistogramName, durationUs: number, attributes?: Attributes): void {
    this.#histogram(name, attributes).updateUnsafe(durationUs / 1e6, this.#context);
  }

  /** Takes from a command that was carried out what it says. */
  note(command: Command): void {
    switch (command.kind) {
      case "accepted":
        return this.count("accepted", 1);
      case "rejected":
        return this.count("rejected", 1, { reason: command.rejection.reason });
      case "notify": {
        const { state, refundReason } = command.transaction;
        if (state === "refunded") this.count("refunded", 1, { reason: refundReason ?? "expired" });
        return;
      }
      case "dispatch":
        return this.count("launched", 1, { role: command.copy.speculative ? "speculative" : "primary" });
      case "cancel":
        return this.count("cancelled", 1, { reason: command.reason });
      case "decided":
        this.observeUs("job", command.result.decidedUs - command.result.openedUs);
        this.observeUs("verification", command.result.decidedUs - command.result.answeredUs);
        return this.count("decided", 1, { lane: command.result.lane });
      case "moved":
        if (command.movement.kind === "paid") this.count("paid", command.movement.amountGwei);
        return;
      case "sealed":
        return this.#noteSealed(command.block);
      case "committed":
      case "reverted":
        return this.count("blocks", 1, { became: command.kind });
      case "alarm":
        return this.#noteAlarm(command.alarm);
      case "evidence":
        return this.count("evidence", 1);
      default:
        return;
    }
  }

  #noteAlarm(alarm: Alarm): void {
    this.count("alarms", 1, { kind: alarm.kind });
    if (alarm.kind === "budget-exhausted") this.count("denials", alarm.denials, { bucket: alarm.bucket });
  }

  #noteSealed(block: Extract<Command, { kind: "sealed" }>["block"]): void {
    this.count("blocks", 1, { became: "sealed" });
    for (const { lane, admittedUs } of block.transactions) {
      this.count("sealed", 1, { lane: lane });
      this.observeUs("seal", block.sealedUs - admittedUs);
    }
  }

  #counter(name: CounterName, attributes: Attributes | undefined) {
    return attributed(this.#counters, counters[name], attributes);
  }

  #histogram(name: HistogramName, attributes: Attributes | undefined) {
    return attributed(this.#histograms, histograms[name], attributes);
  }
}

function attributed<State>(
  made: Map<string, Metric.Metric<number, State>>,
  plain: Metric.Metric<number, State>,
  attributes: Attributes | undefined,
): Metric.Metric<number, State> {
  if (attributes === undefined) return plain;
  const name = [plain.id, ...Object.values(attributes)].join("/");
  const known = made.get(name) ?? Metric.withAttributes(plain, attributes);
  made.set(name, known);
  return known;
}
