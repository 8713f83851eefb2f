import { Context, Metric } from "effect";
import type { LeaseReport, ShardRole } from "../nats/index.ts";

const leading = Metric.gauge("pipe_leading", {
  description: "1 for a scheduler that leads its shard, 0 for one that stands by or has been deposed",
});
const troubles = Metric.counter("pipe_lease_troubles_total", {
  description: "Attempts to take or keep the shard's lease that failed, by kind",
  incremental: true,
});

/** Every name that this file publishes; docs/METRICS.md describes each. */
export const SHARD_METRIC_NAMES: readonly string[] = [leading, troubles].map(({ id }) => id);

/** Counts before there is a scheduler to count: a standby has metrics, too. */
const context = Context.empty();

export function meterRole({ kind }: ShardRole): void {
  leading.updateUnsafe(kind === "leading" ? 1 : 0, context);
}

export function meterLease(report: LeaseReport): void {
  if (report.kind === "well") return;
  Metric.withAttributes(troubles, { kind: report.kind }).updateUnsafe(report.attempts, context);
}
