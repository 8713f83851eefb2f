import type { Temperament } from "../../scheduler/node/behaviour/fate.ts";
import { fateOf } from "../../scheduler/node/behaviour/fate.ts";
import { streamFor } from "../kernel/streams.ts";
import type { Course, FleetBehaviour, Manner, NamedCopy } from "./course.ts";
import type { ReportTimes } from "./fitted.ts";
import { type CopyRecord, type Recording, RecordingError, type Took } from "./recording.ts";

/**
 * A copy's way is a row of waits for the machine: until the journal is durable, until the node's thread runs, until the
 * scheduler's loop turns. These three lie between dispatch and accepted, and are taken to last equally long.
 */
const WAITS_TO_ACCEPTED = 3;
/** From dispatch to the node: journal and thread. */
const WAITS_THERE = 2;
/** From the moment at which a copy is done to the scheduler: thread (its timers wait for it, too) and loop. */
const WAITS_BACK = 2;

/** So many measurements around a moment are equally good guesses of how busy the machine is then. */
const NEAREST = 4;

/**
 * Nodes as their profiles say, with the luck that the real ones had: how long each copy runs and whether it fails is the same
 * pure function of node and copy. Measured from the run are only the times that are the machine's and not the model's: from
 * dispatch to accepted and from answer to verdict, each taken from around the same moment, since a machine is busy now and
 * idle then. Nothing is fitted to how long copies ran. Throws RecordingError when the run has a node without a profile.
 */
export function profiledFleet(
  recording: Recording,
  temperaments: ReadonlyMap<string, Temperament>,
  times: ReportTimes,
): FleetBehaviour {
  for (const { event } of recording.given) {
    if (event.kind !== "node-joined" || temperaments.has(event.node.id)) continue;
    throw new RecordingError(`The node ${event.node.id} joined the run, but its profile was not kept with it.`);
  }
  return new ProfiledFleet(recording, temperaments, times);
}

class ProfiledFleet implements FleetBehaviour {
  readonly reportIntervalUs: number;
  readonly reportDelayUs: number;
  readonly #recording: Recording;
  readonly #temperaments: ReadonlyMap<string, Temperament>;
  readonly #acceptances: readonly Took[];

  constructor(recording: Recording, temperaments: ReadonlyMap<string, Temperament>, times: ReportTimes) {
    this.reportIntervalUs = times.reportIntervalUs;
    this.reportDelayUs = times.reportDelayUs;
    this.#recording = recording;
    this.#temperaments = temperaments;
    this.#acceptances = acceptancesOf(recording.copies);
  }

  manner(node: string): Manner {
    const { fault } = this.#temperamentOf(node);
    return {
      responds: fault.kind !== "dead",
      stops: fault.kind !== "never-cancels",
      warm: this.#recording.nodes.get(node)?.warm ?? [],
      reports: fault.kind !== "dead",
    };
  }

  course({ node, txHash, callIndex, ordinal, call }: NamedCopy, seed: number, nowUs: number): Course {
    const temperament = this.#temperamentOf(node);
    const { delay, fails } = fateOf(temperament, { txHash, callIndex, ordinal }, call);
    const stream = streamFor(seed, ordinal, `${node}/${txHash}/${callIndex}`);
    // A machine that is busy when a copy is sent is busy a moment later, too.
    const u = stream.unit();
    const waitUs = around(this.#acceptances, nowUs, u) / WAITS_TO_ACCEPTED;
    const runUs = 1_000 * (fails ? delay.firstTokenMs : delay.totalMs);
    const endUs = nowUs + runUs;
    return {
      thereUs: WAITS_THERE * waitUs,
      acceptedBackUs: (WAITS_TO_ACCEPTED - WAITS_THERE) * waitUs,
      runUs,
      end: fails ? "failed" : "answered",
      endBackUs: (WAITS_BACK * around(this.#acceptances, endUs, u)) / WAITS_TO_ACCEPTED,
      verificationUs: around(this.#recording.verifications, endUs, stream.unit()),
      rejectedBecause: LIES.has(temperament.fault.kind) ? "bad-signature" : undefined,
    };
  }

  #temperamentOf(node: string): Temperament {
    const temperament = this.#temperaments.get(node);
    if (temperament === undefined) throw new RecordingError(`There is no profile of the node ${node}.`);
    return temperament;
  }
}

/** Faults that show in the proof. */
const LIES = new Set<string>(["wrong-signature", "wrong-job"]);

/** Dispatch → accepted of every copy that was, in order. */
export function acceptancesOf(copies: readonly CopyRecord[]): readonly Took[] {
  return copies.flatMap(({ acceptedUs, launchedUs }) =>
    acceptedUs === undefined ? [] : [{ atUs: launchedUs, us: acceptedUs - launchedUs }],
  );
}

/** One of the times measured around a moment, by `u`; 0 when nothing was measured. `measured` is nearly in order of time. */
function around(measured: readonly Took[], atUs: number, u: number): number {
  let [low, high] = [0, measured.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((measured[middle] as Took).atUs < atUs) low = middle + 1;
    else high = middle;
  }
  const first = Math.max(0, Math.min(low - NEAREST / 2, measured.length - NEAREST));
  const count = Math.min(NEAREST, measured.length);
  return measured[first + Math.floor(u * count)]?.us ?? 0;
}
