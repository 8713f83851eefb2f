import { failedRun, type ModelRunner, type Run, type RunOptions } from "../model-runner.ts";
import type { Backend, NodeLog, Probe } from "./backend.ts";
import { BACKEND_LIMITS } from "./limits.ts";

/** A model's backend, and what was last heard of it. */
interface Served {
  readonly model: string;
  readonly backend: Backend;
  probe: Probe | undefined;
  probedMs: number;
  probing: boolean;
  /** Runs that failed since the last one that the log was told of, and when that was. */
  untold: number;
  toldMs: number;
}

const LONG_AGO = Number.NEGATIVE_INFINITY;

/**
 * Runs each model on its backend, and asks the backends at intervals whether they would answer. What fails is told to the log,
 * and a backend that failed is asked again soon, so that the scheduler hears that the model is not warm.
 */
export class BackendRunner implements ModelRunner {
  readonly #served: ReadonlyMap<string, Served>;
  readonly #log: NodeLog;
  /** Of the probes under way. */
  readonly #limits = new Set<AbortController>();
  #closed = false;
  #probes: NodeJS.Timeout | undefined;

  constructor(backends: ReadonlyMap<string, Backend>, log: NodeLog) {
    this.#served = new Map(
      [...backends].map(([model, backend]) => [
        model,
        { model, backend, probe: undefined, probedMs: LONG_AGO, probing: false, untold: 0, toldMs: LONG_AGO },
      ]),
    );
    this.#log = log;
  }

  get warm(): readonly string[] {
    return [...this.#served.values()].filter(({ probe }) => probe?.ok === true).map(({ model }) => model);
  }

  /** What each model's backend said last, as far as it was asked. */
  get probes(): ReadonlyMap<string, Probe> {
    const asked = [...this.#served.values()].flatMap(({ model, probe }) =>
      probe === undefined ? [] : [[model, probe] as const],
    );
    return new Map(asked);
  }

  /** Resolves when every backend has been asked once. */
  async start(): Promise<void> {
    await this.#probeAll();
    this.#probes = setInterval(() => void this.#probeAll(), BACKEND_LIMITS.probeIntervalMs);
  }

  async run(model: string, input: Uint8Array, options: RunOptions): Promise<Run> {
    const served = this.#served.get(model);
    if (served === undefined) return failedRun("error", "no backend has the model");
    const run = await served.backend.run(input, options);
    // Whoever cancels wants no answer; that there is none is no failure.
    if (run.ok || options.signal.aborted) return run;
    this.#tellFailure(served, run);
    void this.#probe(served);
    return run;
  }

  /** A backend that is broken fails as fast as it is asked, which is no reason to fill the log. */
  #tellFailure(served: Served, { reason, why }: Extract<Run, { ok: false }>): void {
    served.untold += 1;
    const nowMs = performance.now();
    if (nowMs - served.toldMs < BACKEND_LIMITS.failureLogMs) return;
    this.#log("warn", "a run failed", { model: served.model, reason, why, failures: served.untold });
    served.untold = 0;
    served.toldMs = nowMs;
  }

  /** Resolves when nothing of the backends is left. */
  async close(): Promise<void> {
    clearInterval(this.#probes);
    this.#closed = true;
    for (const limit of this.#limits) limit.abort();
    await Promise.all([...this.#served.values()].map(({ backend }) => backend.close()));
  }

  async #probeAll(): Promise<void> {
    await Promise.all([...this.#served.values()].map((served) => this.#probe(served)));
  }

  async #probe(served: Served): Promise<void> {
    const nowMs = performance.now();
    if (served.probing || nowMs - served.probedMs < BACKEND_LIMITS.probeGapMs || this.#closed) return;
    served.probing = true;
    served.probedMs = nowMs;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), BACKEND_LIMITS.probeMs);
    this.#limits.add(limit);
    const probe = await served.backend.probe(limit.signal);
    this.#limits.delete(limit);
    clearTimeout(timer);
    served.probing = false;
    if (this.#closed) return;
    this.#tell(served.model, served.probe, probe);
    served.probe = probe;
  }

  /** Only what changed is worth a line. */
  #tell(model: string, before: Probe | undefined, { ok, ...now }: Probe): void {
    if (!ok && before?.ok !== false) this.#log("warn", "a model's backend does not answer", { model, ...now });
    if (!ok || before?.ok === true) return;
    this.#log("info", "a model's backend answers", { model, ...now });
  }
}
