import { DEFAULTS } from "../../policies/defaults.ts";
import type { PolicySpec } from "../../policies/policy.ts";
import { formatPolicy } from "../../policies/short-form.ts";
import type { Metrics } from "../experiment/result.ts";

/** Metrics' names for people, in the order in which they are shown. */
export const METRIC_LABELS: { readonly [M in keyof Metrics]: string } = {
  responseMs: "response, ms",
  onTime: "on time",
  workMsPerJob: "work per job, ms",
  copiesPerJob: "copies per job",
  cancelledPerJob: "cancelled per job",
  lostPerJob: "lost copies per job",
  rejectedProofsPerJob: "rejected proofs per job",
  feesGweiPerJob: "fees per job, gwei",
  sealedBlocksLate: "blocks late",
  refunded: "refunded",
  refused: "refused",
  reorgedPerJob: "reorged per job",
};
/** Those that are shares of a whole, which people read in percent. */
const SHARES: ReadonlySet<string> = new Set<keyof Metrics>(["onTime", "refunded", "refused"]);
export const PERCENTILE_LABELS = { p50: "p50", p95: "p95", p99: "p99", p999: "p99.9" } as const;

/** A metric that another version measured goes by its own name. */
export function metricLabel(name: string): string {
  return Object.hasOwn(METRIC_LABELS, name) ? METRIC_LABELS[name as keyof Metrics] : name;
}

export function isShare(metric: string): boolean {
  return SHARES.has(metric);
}

/** A mean and the ends of its interval, all with the decimals that the interval's width allows: two of its digits. */
export function estimateText(mean: number, ci95: readonly [number, number] | null): { mean: string; ends: string[] } {
  if (ci95 === null) return { mean: figure(mean), ends: [] };
  const half = (ci95[1] - ci95[0]) / 2;
  if (!(half > 0)) return { mean: figure(mean), ends: ci95.map(figure) };
  const decimals = Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(half))));
  const text = (value: number): string =>
    value.toLocaleString("en-US", {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
      useGrouping: Math.abs(value) >= 10_000,
    });
  return { mean: text(mean), ends: ci95.map(text) };
}

/** A policy in few words, for legends. */
export function policyName(policy: PolicySpec): string {
  switch (policy.kind) {
    case "fixed":
      return policy.copies === 1 ? "1 copy" : `${policy.copies} copies at once`;
    case "hedge":
      return `hedge at ${duration(policy.delayMs)}, up to ${policy.maxCopies}`;
    default:
      // Of another version, perhaps, with a policy that is not known here.
      return Object.hasOwn(DEFAULTS, policy.kind) ? formatPolicy(policy) : valueText(policy);
  }
}

/** 250 ms, 1.5 s. */
export function duration(ms: number): string {
  return Math.abs(ms) < 1_000 ? `${figure(ms)} ms` : `${figure(ms / 1_000)} s`;
}

/** Five significant digits, without exponents for what people read. */
export function figure(value: number | null | undefined): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 10_000) return count(value);
  if (size < 1e-4 && size > 0) return value.toExponential(2);
  return value === 0 ? "0" : String(Number(value.toPrecision(5)));
}

export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** A value of an experiment file: sections as `hedge delayMs 2500`. */
export function valueText(value: unknown): string {
  if (typeof value !== "object" || value === null) return value === undefined ? "–" : String(value);
  if (Array.isArray(value)) return value.map(valueText).join(",");
  return Object.entries(value)
    .map(([key, inner]) => (key === "kind" ? String(inner) : `${key} ${valueText(inner)}`))
    .join(" ");
}
