import { type Context, Metric } from "effect";
import type { Command } from "../engine/recorder.ts";

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
  verdicts: Metric.counter("pipe_verdicts_total", { description: "Proofs judged, by reason", incremental: true }),
  decided: Metric.counter("pipe_jobs_decided_total", {
    description: "Races with a winner, by lane",
    incremental: true,
  }),
  blocks: Metric.counter("pipe_blocks_total", { description: "Blocks, by what became of them", incremental: true }),
  paid: Metric.counter("pipe_fees_paid_gwei_total", { description: "Fees paid to nodes, in gwei", incremental: true }),
  alarms: Metric.counter("pipe_alarms_total", { description: "Alarms, by kind", incremental: true }),
  evidence: Metric.counter("pipe_equivocations_total", { description: "Equivocations found", incremental: true }),
  events: Metric.counter("pipe_events_total", { description: "Events stepped", incremental: true }),
} as const;

const gauges = {
  nodes: Metric.gauge("pipe_nodes", { description: "Nodes joined" }),
  waiting: Metric.gauge("pipe_inbox_waiting", { description: "Events that wait for the loop" }),
  dropped: Metric.gauge("pipe_node_messages_dropped", { description: "Node messages that found no room" }),
  blobs: Metric.gauge("pipe_blob_bytes", { description: "Bytes of inputs and answers kept" }),
  journal: Metric.gauge("pipe_journal_backlog_bytes", { description: "Bytes that wait to become durable" }),
} as const;

const boundaries = Metric.exponentialBoundaries({ start: 0.001, factor: 2, count: 18 });

const histograms = {
  job: Metric.histogram("pipe_job_seconds", { description: "Race opened to decided", boundaries }),
  verification: Metric.histogram("pipe_verification_seconds", {
    description: "Winning answer to its verdict",
    boundaries,
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

/** Keeps Effect's metrics from plain code: the loop is no fiber. */
export class Metrics {
  readonly #context: Context.Context<never>;
  /** Counters with their attribute, made once each. The values are words of closed unions, so there are few. */
  readonly #attributed = new Map<string, Metric.Counter<number>>();

  constructor(context: Context.Context<never>) {
    this.#context = context;
  }

  count(name: CounterName, amount: number, attribute?: { readonly key: string; readonly value: string }): void {
    if (amount > 0) this.#counter(name, attribute).updateUnsafe(amount, this.#context);
  }

  gauge(name: GaugeName, value: number): void {
    gauges[name].updateUnsafe(value, this.#context);
  }

  observeUs(name: HistogramName, durationUs: number): void {
    histograms[name].updateUnsafe(durationUs / 1e6, this.#context);
  }

  /** Takes from a command that was carried out what it says. */
  note(command: Command): void {
    switch (command.kind) {
      case "accepted":
        return this.count("accepted", 1);
      case "rejected":
        return this.count("rejected", 1, { key: "reason", value: command.rejection.reason });
      case "notify": {
        const { state, refundReason } = command.transaction;
        if (state === "refunded") this.count("refunded", 1, { key: "reason", value: refundReason ?? "expired" });
        return;
      }
      case "dispatch":
        return this.count("launched", 1, { key: "role", value: command.copy.speculative ? "speculative" : "primary" });
      case "cancel":
        return this.count("cancelled", 1, { key: "reason", value: command.reason });
      case "decided":
        this.observeUs("job", command.result.decidedUs - command.result.openedUs);
        this.observeUs("verification", command.result.decidedUs - command.result.answeredUs);
        return this.count("decided", 1, { key: "lane", value: command.result.lane });
      case "moved":
        if (command.movement.kind === "paid") this.count("paid", command.movement.amountGwei);
        return;
      case "sealed":
        return this.#noteSealed(command.block);
      case "committed":
      case "reverted":
        return this.count("blocks", 1, { key: "became", value: command.kind });
      case "alarm":
        return this.count("alarms", 1, { key: "kind", value: command.alarm.kind });
      case "evidence":
        return this.count("evidence", 1);
      default:
        return;
    }
  }

  #noteSealed(block: Extract<Command, { kind: "sealed" }>["block"]): void {
    this.count("blocks", 1, { key: "became", value: "sealed" });
    for (const { lane, admittedUs } of block.transactions) {
      this.count("sealed", 1, { key: "lane", value: lane });
      this.observeUs("seal", block.sealedUs - admittedUs);
    }
  }

  #counter(name: CounterName, attribute: { readonly key: string; readonly value: string } | undefined) {
    const plain: Metric.Counter<number> = counters[name];
    if (attribute === undefined) return plain;
    const key = `${name}/${attribute.value}`;
    let made = this.#attributed.get(key);
    if (made === undefined) {
      made = Metric.withAttributes(plain, { [attribute.key]: attribute.value });
      this.#attributed.set(key, made);
    }
    return made;
  }
}
