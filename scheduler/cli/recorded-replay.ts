import type { Likeness } from "../../sim/recorded/replications.ts";
import { namedPolicy, RECORDED } from "./named-policy.ts";
import {
  type ActualRun,
  actualOf,
  differencesOf,
  type Intervals,
  intervalsOf,
  type Played,
  playPolicies,
} from "./recorded-policies.ts";
import { replayText } from "./recorded-tables.ts";
import { orRefuse, type RecordedOptions } from "./recorded-work.ts";
import { EXIT } from "./sim-experiments.ts";

/** What `pipe sim replay --json` prints. */
export interface ReplayReport {
  readonly directory: string;
  readonly replications: number;
  readonly seed: number;
  readonly actual: ActualRun;
  readonly likeness: Likeness;
  /** The recorded policy first. */
  readonly policies: readonly PlayedPolicy[];
}

export interface PlayedPolicy {
  readonly policy: string;
  readonly metrics: Intervals;
  /** This policy less the recorded one, replication by replication; `null` for the recorded one itself. */
  readonly differences: Intervals | null;
}

/** Resolves to the exit code. Rejects with SimRefused. */
export async function recordedReplay(
  options: RecordedOptions & { readonly policies: readonly string[] },
  signal: AbortSignal,
): Promise<number> {
  const asked = await Promise.all(options.policies.map((text) => namedPolicy(text, "--policy")));
  return orRefuse(async () => {
    const played = await playPolicies(options, asked, signal);
    if (played === undefined) return EXIT.interrupted;
    const report = reportOf(options, played);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : replayText(report));
    return EXIT.done;
  });
}

function reportOf(options: RecordedOptions, { recording, outcomes, likeness }: Played): ReplayReport {
  const { directory, replications, seed } = options;
  const policies = [...outcomes].map(([named, own]) => ({
    policy: named.name,
    metrics: intervalsOf(own),
    differences: named === RECORDED ? null : differencesOf(outcomes.get(RECORDED), own),
  }));
  return { directory, replications, seed, actual: actualOf(recording), likeness, policies };
}
