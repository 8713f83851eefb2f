import type { Temperament } from "../../scheduler/node/behaviour/fate.ts";
import { fateOf } from "../../scheduler/node/behaviour/fate.ts";
import type { Mode } from "../../scheduler/shared/vocabulary.ts";
import { streamFor } from "../kernel/streams.ts";
import type { Course, FleetBehaviour, Manner, NamedCopy, Wait } from "./course.ts";
import type { ReportTimes } from "./fitted.ts";
import { Around, MachineWaits } from "./machine-waits.ts";
import { type Recording, RecordingError } from "./recording.ts";
import { hasProfile, UnprofiledRuns } from "./unprofiled.ts";

/**
 * Nodes as their profiles say, with the luck that the real ones had: how long each copy runs and whether it fails is the same
 * pure function of node and copy. Measured from the run are only the times that are the machine's and not the model's: from
 * dispatch to accepted, from answer to verdict, each taken from around the same moment, since a machine is busy now and
 * idle then; and how long copies ran of models that have no profile, since what they take is the machine's time, too, as that of a
 * proof in zero knowledge. Throws RecordingError when the run has a node without a profile.
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

const AT_ONCE: Wait = { idleUs: 0, computingUs: 0 };

class ProfiledFleet implements FleetBehaviour {
  readonly reportIntervalUs: number;
  readonly reportDelayUs: number;
  readonly #recording: Recording;
  readonly #temperaments: ReadonlyMap<string, Temperament>;
  readonly #waits: MachineWaits;
  readonly #verifications: ReadonlyMap<Mode, Around>;
  readonly #unprofiled: UnprofiledRuns;

  constructor(recording: Recording, temperaments: ReadonlyMap<string, Temperament>, times: ReportTimes) {
    this.reportIntervalUs = times.reportIntervalUs;
    this.reportDelayUs = times.reportDelayUs;
    this.#recording = recording;
    this.#temperaments = temperaments;
    this.#unprofiled = new UnprofiledRuns(recording.copies, (node, model) =>
      hasProfile(this.#temperamentOf(node), model),
    );
    this.#waits = new MachineWaits(recording, {
      reportDelayUs: times.reportDelayUs,
      computing: this.#unprofiled.computing,
    });
    this.#verifications = new Map(
      [...Map.groupBy(recording.verifications, ({ mode }) => mode)].map(([mode, own]) => [mode, new Around(own)]),
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

  course({ node, txHash, callIndex, ordinal, call }: NamedCopy, seed: number, nowUs: number): Course {
    const temperament = this.#temperamentOf(node);
    const { delay, fails } = fateOf(temperament, { txHash, callIndex, ordinal }, call);
    const stream = streamFor(seed, ordinal, `${node}/${txHash}/${callIndex}`);
    // A machine that is busy when a copy is sent is busy a moment later, too.
    const u = stream.unit();
    const profiled = hasProfile(temperament, call.model);
    const runUs = profiled
      ? 1_000 * (fails ? delay.firstTokenMs : delay.totalMs)
      : this.#unprofiled.us(call, nowUs, stream.unit());
    const endUs = nowUs + runUs;
    return {
      there: this.#waits.there(nowUs, u),
      behind: this.#waits.behind(nowUs, u),
      runUs,
      end: fails ? "failed" : "answered",
      // What was measured in place of a profile lasts until it was heard of.
      endBack: profiled ? this.#waits.back(endUs, u) : AT_ONCE,
      computes: !profiled,
      verificationUs: this.#verifications.get(call.mode)?.us(endUs, stream.unit()) ?? 0,
      rejectedBecause: LIES.has(temperament.fault.kind) ? "bad-signature" : undefined,
      outputs: OUTPUTS[temperament.fault.kind] ?? ["right"],
    };
  }

  #temperamentOf(node: string): Temperament {
    const temperament = this.#temperaments.get(node);
    if (temperament === undefined) throw new RecordingError(`There is no profile of the node ${node}.`);
    return temperament;
  }
}

/** Faults that show in the proof. */
const LIES = new Set<string>(["wrong-signature", "wrong-job", "replayed-proof"]);
/** Faults that show in the output. */
const OUTPUTS: Readonly<Record<string, Course["outputs"]>> = {
  "wrong-output": ["wrong"],
  equivocating: ["right", "wrong"],
};
