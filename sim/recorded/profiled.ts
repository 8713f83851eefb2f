import type { Temperament } from "../../scheduler/node/behaviour/fate.ts";
import { fateOf } from "../../scheduler/node/behaviour/fate.ts";
import { streamFor } from "../kernel/streams.ts";
import type { Course, FleetBehaviour, Manner, NamedCopy } from "./course.ts";
import type { ReportTimes } from "./fitted.ts";
import { type Recording, RecordingError } from "./recording.ts";

/**
 * A timer of Node.js counts milliseconds, of which neither the first nor the last is whole: what waits for one goes on up to
 * two of them late.
 */
const TIMER_LATE_US = 2_000;

/**
 * Nodes as their profiles say, with the luck that the real ones had: how long each copy runs and whether it fails is the same
 * pure function of node and copy. Measured from the run are only the times that are the machine's and not the model's: from
 * dispatch to accepted (journal, threads, messages; there and back count half each) and from answer to verdict. Nothing is
 * fitted to how long copies ran. Throws RecordingError when the run has a node without a profile.
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
  readonly #roundTripUs: readonly number[];

  constructor(recording: Recording, temperaments: ReadonlyMap<string, Temperament>, times: ReportTimes) {
    this.reportIntervalUs = times.reportIntervalUs;
    this.reportDelayUs = times.reportDelayUs;
    this.#recording = recording;
    this.#temperaments = temperaments;
    this.#roundTripUs = recording.copies.flatMap(({ acceptedUs, launchedUs }) =>
      acceptedUs === undefined ? [] : [acceptedUs - launchedUs],
    );
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

  course({ node, txHash, callIndex, ordinal, call }: NamedCopy, seed: number): Course {
    const temperament = this.#temperamentOf(node);
    const { delay, fails } = fateOf(temperament, { txHash, callIndex, ordinal }, call);
    const stream = streamFor(seed, ordinal, `${node}/${txHash}/${callIndex}`);
    const takenUs = pick(this.#roundTripUs, stream.unit());
    const lateUs = TIMER_LATE_US * stream.unit();
    return {
      thereUs: takenUs / 2,
      acceptedBackUs: takenUs / 2,
      runUs: 1_000 * (fails ? delay.firstTokenMs : delay.totalMs) + lateUs,
      end: fails ? "failed" : "answered",
      endBackUs: pick(this.#roundTripUs, stream.unit()) / 2,
      verificationUs: pick(this.#recording.verificationUs, stream.unit()),
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

/** The value at `u` of equally likely ones, 0 when nothing was measured. */
function pick(values: readonly number[], u: number): number {
  return values[Math.floor(u * values.length)] ?? 0;
}
