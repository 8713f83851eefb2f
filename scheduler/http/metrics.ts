import { type Context, Metric } from "effect";

const requests = Metric.counter("pipe_http_requests_total", {
  description: "Requests answered, by route, method and status",
  incremental: true,
});
const seconds = Metric.histogram("pipe_http_request_seconds", {
  description: "Headers received to answer written, by route; without event streams",
  boundaries: Metric.exponentialBoundaries({ start: 0.000_5, factor: 2, count: 16 }),
});
const refused = Metric.counter("pipe_http_refused_total", {
  description: "Requests that were no HTTP, too large or too slow, and connections that found no room, by reason",
  incremental: true,
});
const connections = Metric.gauge("pipe_http_connections", { description: "Connections open" });
const followers = Metric.gauge("pipe_http_followers", { description: "Followers of events" });

/** What `/metrics` is written in. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Every name that this file publishes; docs/METRICS.md describes each. */
export const HTTP_METRIC_NAMES: readonly string[] = [requests, seconds, refused, connections, followers].map(
  ({ id }) => id,
);

/** Methods that routes have; others are counted as one, so that nobody makes series without end. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE"]);

export type Refusal = "headers-too-large" | "too-slow" | "malformed" | "too-many-connections";

/** Counts for code that is no fiber. Routes, methods, statuses and reasons are few, and so are the series. */
export class HttpMeters {
  readonly #context: Context.Context<never>;
  readonly #counters = new Map<string, Metric.Metric<number, Metric.CounterState<number>>>();
  readonly #histograms = new Map<string, Metric.Metric<number, Metric.HistogramState>>();

  constructor(context: Context.Context<never>) {
    this.#context = context;
    // Dashboards see them from the start.
    this.connections(0);
    this.followers(0);
  }

  answered(about: { readonly route: string; readonly method: string; readonly status: number }): void {
    const { route, status } = about;
    const method = METHODS.has(about.method) ? about.method : "other";
    const name = `${route} ${method} ${status}`;
    const known =
      this.#counters.get(name) ?? Metric.withAttributes(requests, { route, method, status: String(status) });
    this.#counters.set(name, known);
    known.updateUnsafe(1, this.#context);
  }

  took(route: string, tookMs: number): void {
    const known = this.#histograms.get(route) ?? Metric.withAttributes(seconds, { route });
    this.#histograms.set(route, known);
    known.updateUnsafe(tookMs / 1000, this.#context);
  }

  refused(reason: Refusal): void {
    const known = this.#counters.get(reason) ?? Metric.withAttributes(refused, { reason });
    this.#counters.set(reason, known);
    known.updateUnsafe(1, this.#context);
  }

  connections(count: number): void {
    connections.updateUnsafe(count, this.#context);
  }

  followers(count: number): void {
    followers.updateUnsafe(count, this.#context);
  }
}
