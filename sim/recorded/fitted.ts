import { streamFor } from "../kernel/streams.ts";
import type { Course, FleetBehaviour, Manner, NamedCopy, Wait } from "./course.ts";
import { EndsOfCopies, type Run, shapeUs, type TokenShape, tokenShape } from "./durations.ts";
import { waysThere } from "./machine-waits.ts";
import { outputsOf, strayShares } from "./outputs.ts";
import { type CopyRecord, type NodeTook, type Recording, RecordingError, type Took } from "./recording.ts";

/** Ended copies that a node needs for an estimate of its own; with fewer it is taken for one like the others. */
const ENOUGH_ENDED = 8;

/** How often the modelled nodes report, since a journal only tells how the real ones did. */
export interface ReportTimes {
  readonly reportIntervalUs: number;
  readonly reportDelayUs: number;
}

/** Copies of one model in one mode, on one node or on all. */
interface Fit {
  readonly shape: TokenShape;
  readonly ends: EndsOfCopies;
}

/**
 * Nodes as the recording shows them: per node, model and mode how long copies run (by tokens, those that were stopped counted
 * as such) and how many fail; per node how long it takes to accept and how many of its answers are rejected; whether it
 * takes copies at all, and whether it stops when told to. Throws RecordingError when no copy came to an end.
 */
export function fittedFleet(recording: Recording, times: ReportTimes): FleetBehaviour {
  return new FittedFleet(recording, times);
}

class FittedFleet implements FleetBehaviour {
  readonly reportIntervalUs: number;
  readonly reportDelayUs: number;
  readonly #recording: Recording;
  readonly #byNode: ReadonlyMap<string, readonly CopyRecord[]>;
  readonly #manners = new Map<string, Manner>();
  readonly #fits = new Map<string, Fit>();
  readonly #alone: Times;
  readonly #behind: Times;
  readonly #rejections: ReadonlyMap<string, readonly (string | undefined)[]>;

  readonly #verifications: ReadonlyMap<string, readonly Took[]>;
  readonly #strayShares: ReadonlyMap<string, number>;

  constructor(recording: Recording, times: ReportTimes) {
    const { copies } = recording;
    if (!copies.some(hasRun)) {
      throw new RecordingError(
        "No copy came to its end in this run, so nothing is known of its nodes: give the directory of a longer run.",
      );
    }
    this.reportIntervalUs = times.reportIntervalUs;
    this.reportDelayUs = times.reportDelayUs;
    this.#recording = recording;
    this.#verifications = Map.groupBy(recording.verifications, ({ mode }) => mode);
    this.#strayShares = strayShares(copies, outputsOf(copies));
    this.#byNode = Map.groupBy(copies, ({ node }) => node);
    const { alone, behind } = waysThere(copies);
    this.#alone = new Times(alone);
    this.#behind = new Times(behind);
    const judged = copies.filter(({ verdict }) => verdict !== undefined);
    this.#rejections = new Map(
      [...Map.groupBy(judged, ({ node }) => node)].map(([node, own]) => [node, own.map(rejection)]),
    );
  }

  manner(node: string): Manner {
    const known = this.#manners.get(node);
    if (known !== undefined) return known;
    const own = this.#byNode.get(node) ?? [];
    const told = own.filter(({ cancelled, acceptedUs }) => cancelled && acceptedUs !== undefined);
    const wentOn = told.filter(({ end }) => end === "answered").length;
    const reported = this.#recording.nodes.get(node);
    const manner: Manner = {
      // Nobody knows how one behaves that was never asked: as the others do.
      responds: own.length === 0 || own.some(({ acceptedUs }) => acceptedUs !== undefined),
      stops: wentOn * 2 <= told.length,
      warm: reported?.warm ?? [],
      reports: (reported?.reports ?? 0) > 1,
    };
    this.#manners.set(node, manner);
    return manner;
  }

  course(copy: NamedCopy, seed: number): Course {
    const { node, txHash, callIndex, ordinal, call } = copy;
    const stream = streamFor(seed, ordinal, `${node}/${txHash}/${callIndex}`);
    const { shape, ends } = this.#fitOf(node, call.model, call.mode);
    const { ratio, failed } = ends.at(stream.unit());
    const rejections = this.#rejections.get(node) ?? [];
    return {
      there: always(this.#alone.us(node, stream.unit())),
      behind: always(this.#behind.us(node, stream.unit())),
      // What was measured lies between accepted and the last word.
      endBack: always(0),
      computes: false,
      runUs: Math.round(ratio * shapeUs(shape, call.tokensOut)),
      end: failed ? "failed" : "answered",
      verificationUs: drawn(this.#verifications.get(call.mode) ?? [], stream.unit())?.us ?? 0,
      rejectedBecause: drawn(rejections, stream.unit()),
      outputs: stream.unit() < (this.#strayShares.get(node) ?? 0) ? ["wrong"] : ["right"],
    };
  }

  /** Of the node itself if enough is known, else of its kind on all nodes, else of whatever came to an end. */
  #fitOf(node: string, model: string, mode: string): Fit {
    const key = JSON.stringify([node, model, mode]);
    let fit = this.#fits.get(key);
    if (fit === undefined) {
      const kind = this.#recording.copies.filter((copy) => copy.model === model && copy.mode === mode);
      const own = kind.filter((copy) => copy.node === node);
      const chosen = [own, kind].find((copies) => copies.filter(hasRun).length >= ENOUGH_ENDED);
      fit = fitOf(chosen ?? (kind.some(hasRun) ? kind : this.#recording.copies));
      this.#fits.set(key, fit);
    }
    return fit;
  }
}

/** What is measured of a node is measured with all that its thread does. */
function always(us: number): Wait {
  return { idleUs: us, computingUs: us };
}

function fitOf(copies: readonly CopyRecord[]): Fit {
  const runs = copies.flatMap(runOf);
  const shape = tokenShape(runs);
  const ends = new EndsOfCopies(runs.map(({ us, tokens, end }) => ({ ratio: us / shapeUs(shape, tokens), end })));
  return { shape, ends };
}

function runOf({ startedUs, endedUs, end, tokensOut, cancelled }: CopyRecord): Run[] {
  if (startedUs === undefined || end === "refused") return [];
  const us = Math.max(0, endedUs - startedUs);
  // A node that goes on after a Cancel shows how long it takes all the same.
  return [{ us, tokens: tokensOut, end: cancelled && end === "failed" ? "stopped" : end }];
}

function hasRun(copy: CopyRecord): boolean {
  return runOf(copy).some(({ end }) => end !== "stopped");
}

function rejection({ verdict }: CopyRecord): string | undefined {
  return verdict?.accepted === false ? verdict.reason : undefined;
}

/** Times of each node; of all, where too few are its own. */
class Times {
  readonly #all: readonly NodeTook[];
  readonly #byNode: ReadonlyMap<string, readonly NodeTook[]>;

  constructor(all: readonly NodeTook[]) {
    this.#all = all;
    this.#byNode = Map.groupBy(all, ({ node }) => node);
  }

  /** By `u`, 0 to 1; 0 when there are none. */
  us(node: string, u: number): number {
    const own = this.#byNode.get(node) ?? [];
    return drawn(own.length < ENOUGH_ENDED ? this.#all : own, u)?.us ?? 0;
  }
}

/** The value at `u` of equally likely ones; `undefined` when there are none. */
function drawn<T>(values: readonly T[], u: number): T | undefined {
  return values[Math.floor(u * values.length)];
}
