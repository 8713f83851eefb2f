/** What `speculative_retry` says, read. */
export type SpeculativeRetry =
  | { readonly kind: "always" | "never" }
  /** Undefined parts are not asked for; with both, `pick` says which one counts. */
  | {
      readonly kind: "after";
      readonly share: number | undefined;
      readonly ms: number | undefined;
      readonly pick: "min" | "max";
    };

const PERCENTILE = /^([0-9]+(?:\.[0-9]+)?)p(?:ercentile)?$/i;
const MILLISECONDS = /^([0-9]+(?:\.[0-9]+)?)ms$/i;
const EITHER = /^(min|max)\(([^,()]+),([^,()]+)\)$/i;

/** `undefined` for what is none. */
export function speculativeRetryOf(text: string): SpeculativeRetry | undefined {
  const word = text.toLowerCase();
  if (word === "always") return { kind: "always" };
  if (word === "never" || word === "none") return { kind: "never" };
  const either = EITHER.exec(text);
  if (either === null) {
    const [share, ms] = [shareOf(text), msOf(text)];
    return share === undefined && ms === undefined ? undefined : { kind: "after", share, ms, pick: "min" };
  }
  const [, pick = "", one = "", other = ""] = either;
  const share = shareOf(one.trim()) ?? shareOf(other.trim());
  const ms = msOf(one.trim()) ?? msOf(other.trim());
  // As in CQL, one of the two is a percentile and the other a time.
  if (share === undefined || ms === undefined) return undefined;
  return { kind: "after", share, ms, pick: pick.toLowerCase() === "min" ? "min" : "max" };
}

function shareOf(text: string): number | undefined {
  const percentile = Number(PERCENTILE.exec(text)?.[1] ?? Number.NaN);
  return percentile > 0 && percentile < 100 ? percentile / 100 : undefined;
}

function msOf(text: string): number | undefined {
  const ms = Number(MILLISECONDS.exec(text)?.[1] ?? Number.NaN);
  return Number.isFinite(ms) ? ms : undefined;
}
