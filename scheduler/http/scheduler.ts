import { Context, Effect, Layer, ManagedRuntime } from "effect";
import { FetchHttpClient } from "effect/http";
import { Otlp } from "effect/observability";
import { type Pipe, type PipeOptions, pipeLayer } from "../index.ts";
import { PipeService } from "../live/layers.ts";
import { PROGRAM_VERSION } from "../live/program.ts";
import { type HttpOptions, serveHttp } from "./server.ts";

export interface SchedulerOptions {
  readonly pipe: PipeOptions;
  readonly http: Omit<HttpOptions, "chainId" | "directory">;
  /** Base URL of an OpenTelemetry collector (HTTP, JSON), which then gets metrics, traces and logs. */
  readonly otlpUrl: string | undefined;
}

/** A scheduler as a process has it: behind HTTP. */
export interface Scheduler extends Pick<Pipe, "schedulerKey" | "failed"> {
  readonly url: string;
  /** Answers what is under way, makes it durable, and ends everything that was started. */
  close(): Promise<void>;
}

class Url extends Context.Service<Url, string>()("pipe/http/Url") {}

/** Starts a scheduler and its server, or goes on where its directory ends. Rejects with `OpenFailed` or `ListenFailed`. */
export async function startScheduler({ pipe, http, otlpUrl }: SchedulerOptions): Promise<Scheduler> {
  const { chainId, directory } = pipe;
  const served = Layer.effect(Url, serveHttp({ ...http, chainId, directory }));
  const scheduler = served.pipe(Layer.provideMerge(pipeLayer(pipe)));
  const runtime = ManagedRuntime.make(
    otlpUrl === undefined ? scheduler : scheduler.pipe(Layer.provideMerge(telemetry(otlpUrl, chainId))),
  );
  try {
    const url = await runtime.runPromise(Url.use(Effect.succeed));
    const { schedulerKey, failed } = await runtime.runPromise(PipeService.use(Effect.succeed));
    return { url, schedulerKey, failed, close: () => runtime.dispose() };
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
}

/** An operator's dashboards look at the last quarter of a minute. */
const METRICS_INTERVAL = "15 seconds";
/** A collector that is gone must not hold up a stop. */
const SHUTDOWN_TIMEOUT = "2 seconds";

function telemetry(baseUrl: string, chainId: string) {
  return Otlp.layerJson({
    baseUrl,
    resource: { serviceName: "pipe-scheduler", serviceVersion: PROGRAM_VERSION, attributes: { chain: chainId } },
    metricsExportInterval: METRICS_INTERVAL,
    shutdownTimeout: SHUTDOWN_TIMEOUT,
    loggerMergeWithExisting: true,
  }).pipe(Layer.provide(FetchHttpClient.layer));
}
