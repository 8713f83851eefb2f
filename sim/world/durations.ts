import type { Experiment } from "../experiment/types.ts";
import type { Distribution } from "../kernel/distributions.ts";
import { normalCdf } from "../kernel/distributions.ts";
import type { Stream } from "../kernel/streams.ts";
import type { JobTable } from "./job-table.ts";

export interface DurationParts {
  readonly experiment: Experiment;
  readonly service: Distribution;
  /** By node, where some nodes have a law of their own. */
  readonly services: readonly Distribution[] | undefined;
  /** Of each job's first two copies. */
  readonly serviceStream: Stream;
  /** Of further copies. */
  readonly extraStream: Stream;
}

/**
 * How long copies take on a node of speed 1. Each job takes the same numbers from the streams under every policy, so that
 * policies are compared on the same durations of first and second copies.
 *
 * Where copies are correlated, or nodes have laws of their own, what is drawn is a standard normal: a duration is the
 * quantile at its probability (a Gaussian copula, in which copies of one job share √φ of it).
 */
export class Durations {
  readonly #parts: DurationParts;
  readonly #jobs: JobTable;
  readonly #phi: number;
  readonly #normals: boolean;

  constructor(parts: DurationParts, jobs: JobTable) {
    this.#parts = parts;
    this.#jobs = jobs;
    this.#phi = parts.experiment.correlation;
    this.#normals = this.#phi > 0 || parts.services !== undefined;
  }

  /** Draws what the job's first two copies need; `tokens` of its answer, where arrivals come from a trace. */
  arrive(job: number, tokens: number | undefined): void {
    const jobs = this.#jobs;
    const { serviceStream, service } = this.#parts;
    jobs.tokens[job] = tokens ?? NO_TOKENS;
    if (this.#normals) {
      jobs.shared[job] = serviceStream.normal();
      jobs.first[job] = this.#normal(job, serviceStream);
      jobs.second[job] = this.#normal(job, serviceStream);
    } else {
      jobs.first[job] = 1_000 * service.sample(serviceStream, tokens);
      jobs.second[job] = 1_000 * service.sample(serviceStream, tokens);
    }
  }

  /** Microseconds that the job's copy of this ordinal, from 0, takes on this node at speed 1. */
  of(job: number, ordinal: number, node: number): number {
    const drawn = ordinal === 0 ? this.#jobs.first[job] : ordinal === 1 ? this.#jobs.second[job] : undefined;
    const { service, services, extraStream } = this.#parts;
    if (!this.#normals) return drawn ?? 1_000 * service.sample(extraStream, this.#tokensOf(job));
    const law = services?.[node] ?? service;
    return 1_000 * law.quantile(normalCdf(drawn ?? this.#normal(job, extraStream)), this.#tokensOf(job));
  }

  #normal(job: number, stream: Stream): number {
    const phi = this.#phi;
    return Math.sqrt(phi) * (this.#jobs.shared[job] as number) + Math.sqrt(1 - phi) * stream.normal();
  }

  #tokensOf(job: number): number | undefined {
    const tokens = this.#jobs.tokens[job] as number;
    return tokens === NO_TOKENS ? undefined : tokens;
  }
}

/** A job of a workload without a trace. */
const NO_TOKENS = -1;
