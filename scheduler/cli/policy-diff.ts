import type { Likeness } from "../../sim/recorded/replications.ts";
import { type NamedPolicy, namedPolicy } from "./named-policy.ts";
import {
  type ActualRun,
  actualOf,
  differencesOf,
  type Intervals,
  intervalsOf,
  playPolicies,
} from "./recorded-policies.ts";
import { diffText } from "./recorded-tables.ts";
import { orRefuse, type RecordedOptions } from "./recorded-work.ts";
import { EXIT } from "./sim-experiments.ts";

/** What `pipe policy diff --json` prints. */
export interface DiffReport {
  readonly directory: string;
  readonly replications: number;
  readonly seed: number;
  readonly actual: ActualRun;
  readonly likeness: Likeness;
  readonly a: { readonly policy: string; readonly metrics: Intervals };
  readonly b: { readonly policy: string; readonly metrics: Intervals };
  /** b less a, replication by replication: what chance did to one it did to the other. */
  readonly differences: Intervals;
}

/** Resolves to the exit code. Rejects with SimRefused. */
export async function policyDiff(
  options: RecordedOptions & { readonly a: string; readonly b: string },
  signal: AbortSignal,
): Promise<number> {
  const [a, b] = [await namedPolicy(options.a, ""), await namedPolicy(options.b, "")];
  return orRefuse(async () => {
    const played = await playPolicies(options, [a, b], signal);
    if (played === undefined) return EXIT.interrupted;
    const { directory, replications, seed, json } = options;
    const { recording, likeness, outcomes } = played;
    const side = (named: NamedPolicy) => ({ policy: named.name, metrics: intervalsOf(outcomes.get(named)) });
    const report: DiffReport = {
      directory,
      replications,
      seed,
      actual: actualOf(recording),
      likeness,
      a: side(a),
      b: side(b),
      differences: differencesOf(outcomes.get(a), outcomes.get(b)),
    };
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : diffText(report));
    return EXIT.done;
  });
}
