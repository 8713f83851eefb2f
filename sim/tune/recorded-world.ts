import type { PolicySpec } from "../../policies/policy.ts";
import type { CallTerms, NodeTerms, TransactionTerms } from "../../scheduler/shared/vocabulary.ts";
import type { FleetBehaviour } from "../recorded/course.ts";
import { ascending, quantile } from "../recorded/distance.ts";
import { type Recording, RecordingError } from "../recorded/recording.ts";
import { playRecording } from "../recorded/world.ts";
import { scaleOf } from "./candidates.ts";
import type { Average } from "./objective.ts";
import type { TuneWorld } from "./world.ts";

/**
 * A recorded run in which settings are tried: users, blocks and nodes as they were, races anew. In time: sealed in the fast
 * lane. `goOn` is called before each play and rejects to end the search. Throws RecordingError when nobody asked for inference.
 */
export function recordedWorld(
  recording: Recording,
  fleet: FleetBehaviour,
  { target, goOn }: { readonly target: number; readonly goOn: () => Promise<void> },
): TuneWorld {
  const asking = askingIn(recording);
  if (asking.length === 0)
    throw new RecordingError("Nobody asked for inference in this run, so there is nothing to tune.");
  const answered = recording.copies.filter(({ end }) => end === "answered");
  const durationsMs = Float64Array.from(answered, ({ launchedUs, endedUs }) => (endedUs - launchedUs) / 1_000).sort();
  const lives = ascending(asking.map(({ lifeUs }) => lifeUs));
  const nodes = nodesIn(recording);
  return {
    present: "recorded",
    scale: scaleOf({ deadlineMs: quantile(lives, 0.5) / 1_000, target }, durationsMs),
    jobs: asking.length,
    size: `the run’s ${asking.length} transactions with inference`,
    measure: async (policy: PolicySpec | "recorded", replication, seed) => {
      await goOn();
      const { transactions, workUs } = playRecording(recording, { policy, fleet, seed: seed + replication });
      return {
        onTime: transactions.onTime / transactions.withCalls,
        work: workUs / transactions.withCalls / 1_000,
      };
    },
    bound: async (replication, seed) => {
      await goOn();
      return boundOf(asking, nodes, fleet, seed + replication);
    },
  };
}

/** A transaction with its calls, as far as the run found them out. */
interface Asking {
  readonly hash: string;
  readonly atUs: number;
  readonly lifeUs: number;
  readonly calls: readonly CallTerms[];
}

function askingIn({ given, config, preExecutions }: Recording): readonly Asking[] {
  return given.flatMap(({ atUs, event }) => {
    if (event.kind !== "submitted") return [];
    const { hash, ttlBlocks } = event.transaction;
    const calls = callsOf(event.transaction, preExecutions);
    return calls.length === 0 ? [] : [{ hash, atUs, lifeUs: ttlBlocks * config.blockIntervalUs, calls }];
  });
}

function callsOf({ hash, calls }: TransactionTerms, found: Recording["preExecutions"]): readonly CallTerms[] {
  if (calls !== undefined) return calls;
  return (found.get(hash) ?? []).flatMap(({ found: what }) => (what.kind === "calls-discovered" ? what.calls : []));
}

function nodesIn({ given }: Recording): readonly NodeTerms[] {
  const nodes = new Map<string, NodeTerms>();
  for (const { event } of given) if (event.kind === "node-joined") nodes.set(event.node.id, event.node);
  return [...nodes.values()];
}

/**
 * Each call on the node that would answer it first, at once and without a queue; a transaction is in time when its slowest call
 * is, by the length of its life. Calls that wait for each other's results count as if they did not.
 */
function boundOf(asking: readonly Asking[], nodes: readonly NodeTerms[], fleet: FleetBehaviour, seed: number): Average {
  let [onTime, workUs] = [0, 0];
  for (const { hash, atUs, lifeUs, calls } of asking) {
    let slowestUs = 0;
    for (const [callIndex, call] of calls.entries()) {
      const best = fastest({ hash, callIndex, call, atUs }, nodes, fleet, seed);
      slowestUs = Math.max(slowestUs, best.doneUs);
      workUs += best.runUs;
    }
    if (slowestUs <= lifeUs) onTime++;
  }
  return { onTime: onTime / asking.length, work: workUs / asking.length / 1_000 };
}

function fastest(
  { hash, callIndex, call, atUs }: { hash: string; callIndex: number; call: CallTerms; atUs: number },
  nodes: readonly NodeTerms[],
  fleet: FleetBehaviour,
  seed: number,
): { readonly doneUs: number; readonly runUs: number } {
  let best = { doneUs: Number.POSITIVE_INFINITY, runUs: 0 };
  for (const { id, offers } of nodes) {
    if (!offers.some(({ model, mode }) => model === call.model && mode === call.mode)) continue;
    if (!fleet.manner(id).responds) continue;
    const course = fleet.course({ node: id, txHash: hash, callIndex, ordinal: 0, call }, seed, atUs);
    if (course.end !== "answered" || course.rejectedBecause !== undefined) continue;
    const doneUs = course.there.idleUs + course.runUs + course.endBack.idleUs + course.verificationUs;
    if (doneUs < best.doneUs) best = { doneUs, runUs: course.runUs };
  }
  return best;
}
