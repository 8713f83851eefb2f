import type { CopyView } from "../../scheduler/engine/commands.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { FailureReason, Mode } from "../../scheduler/shared/vocabulary.ts";
import { Heap } from "../../scheduler/shared/heap.ts";
import { type CopyRecord, RECORDING_LIMITS, RecordingError, type Verification } from "./recording.ts";

/** A copy as far as it is known; what is missing is `undefined`. */
interface ObservedCopy {
  readonly txHash: string;
  readonly callIndex: number;
  readonly node: string;
  readonly model: string;
  readonly mode: Mode;
  readonly tokensOut: number;
  readonly launchedUs: number;
  acceptedUs: number | undefined;
  cancelledUs: number | undefined;
  lastWordUs: number | undefined;
  end: CopyRecord["end"] | undefined;
  verdict: CopyRecord["verdict"];
  outputHash: string | undefined;
  value: number | undefined;
}

type Answered = Extract<EngineEvent, { kind: "copy-answered" }>;

/** Follows copies from their dispatch to the last that was heard of them, Cancels and late words included. */
export class CopyObserver {
  readonly #copies = new Map<number, ObservedCopy>();
  readonly #verifications: Verification[] = [];

  get verifications(): readonly Verification[] {
    return this.#verifications;
  }

  launched({ id, node, race }: CopyView, atUs: number): void {
    // After a restart what may have been lost is sent again.
    if (this.#copies.has(id)) return;
    if (this.#copies.size >= RECORDING_LIMITS.copies) {
      throw new RecordingError(
        `There are more than ${RECORDING_LIMITS.copies} copies: give the journal of a shorter run.`,
      );
    }
    const { model, mode, tokensOut } = race.call;
    this.#copies.set(id, {
      txHash: race.tx.hash,
      callIndex: race.callIndex,
      node: node.id,
      model,
      mode,
      tokensOut,
      launchedUs: atUs,
      acceptedUs: undefined,
      cancelledUs: undefined,
      lastWordUs: undefined,
      end: undefined,
      verdict: undefined,
      outputHash: undefined,
      value: undefined,
    });
  }

  cancelled(id: number, atUs: number): void {
    const copy = this.#copies.get(id);
    if (copy !== undefined) copy.cancelledUs ??= atUs;
  }

  accepted(id: number, node: string, atUs: number): void {
    const copy = this.#open(id, node);
    if (copy !== undefined) copy.acceptedUs ??= atUs;
  }

  answered({ copy: id, node, outputHash, value }: Answered, atUs: number): void {
    const copy = this.#ended(id, node, "answered", atUs);
    if (copy === undefined) return;
    copy.outputHash = outputHash;
    copy.value = value;
  }

  failed(id: number, node: string, reason: FailureReason, atUs: number): void {
    this.#ended(id, node, END_OF[reason], atUs);
  }

  verdict(id: number, accepted: boolean, reason: string, atUs: number): void {
    const copy = this.#copies.get(id);
    if (copy?.end !== "answered" || copy.lastWordUs === undefined) return;
    this.#verifications.push({ atUs: copy.lastWordUs, us: atUs - copy.lastWordUs, node: copy.node, mode: copy.mode });
    copy.verdict = { accepted, reason };
  }

  /** The node is gone, and with it what ran there. */
  nodeLeft(node: string, atUs: number): void {
    for (const copy of this.#copies.values()) {
      if (copy.node !== node || copy.end !== undefined) continue;
      copy.end = "stopped";
      copy.lastWordUs = atUs;
    }
  }

  /** All copies in the order in which they were sent. `slots`: places of each node. */
  records(slots: ReadonlyMap<string, number>, endedUs: number): CopyRecord[] {
    const copies = [...this.#copies.values()];
    const started = startsOf(copies, slots, endedUs);
    return copies.map((copy) => recordOf(copy, started.get(copy), endedUs));
  }

  #ended(id: number, node: string, end: CopyRecord["end"], atUs: number): ObservedCopy | undefined {
    const copy = this.#open(id, node);
    if (copy === undefined) return undefined;
    copy.end = end;
    copy.lastWordUs = atUs;
    return copy;
  }

  /** The copy, if this node may speak about it and has not said its last word. */
  #open(id: number, node: string): ObservedCopy | undefined {
    const copy = this.#copies.get(id);
    return copy === undefined || copy.node !== node || copy.end !== undefined ? undefined : copy;
  }
}

const END_OF: Readonly<Record<FailureReason, CopyRecord["end"]>> = {
  error: "failed",
  "unknown-model": "failed",
  overloaded: "refused",
  drained: "stopped",
  cancelled: "stopped",
};

/** Until when a copy kept its place: its last word, else its Cancel, else the end of what is known. */
function keptUntilUs({ lastWordUs, cancelledUs }: ObservedCopy, endedUs: number): number {
  return lastWordUs ?? cancelledUs ?? endedUs;
}

/** When each copy began to run: nodes serve in the order in which they accept, a copy per slot. */
function startsOf(
  copies: readonly ObservedCopy[],
  slots: ReadonlyMap<string, number>,
  endedUs: number,
): Map<ObservedCopy, number> {
  const starts = new Map<ObservedCopy, number>();
  const places = new Map<string, Heap<number>>();
  const taken = copies.filter((copy) => copy.acceptedUs !== undefined && copy.end !== "refused");
  taken.sort((a, b) => (a.acceptedUs as number) - (b.acceptedUs as number));
  for (const copy of taken) {
    const acceptedUs = copy.acceptedUs as number;
    const free = places.get(copy.node) ?? new Heap<number>((a, b) => a < b);
    places.set(copy.node, free);
    const used = free.size >= (slots.get(copy.node) ?? 1);
    const startUs = used ? Math.max(acceptedUs, free.pop() as number) : acceptedUs;
    const untilUs = keptUntilUs(copy, endedUs);
    // It was stopped while it waited: the place is the next one's.
    if (untilUs <= startUs && used) free.push(startUs);
    else {
      starts.set(copy, startUs);
      free.push(untilUs);
    }
  }
  return starts;
}

function recordOf(copy: ObservedCopy, startedUs: number | undefined, endedUs: number): CopyRecord {
  const { cancelledUs, end = "stopped", lastWordUs, ...known } = copy;
  const untilUs = keptUntilUs(copy, endedUs);
  return {
    ...known,
    startedUs,
    end,
    // A node hears of a Cancel a little after it was given, and its word takes a while: so long it ran for certain.
    endedUs: end === "stopped" && cancelledUs !== undefined ? Math.min(cancelledUs, untilUs) : untilUs,
    cancelled: cancelledUs !== undefined && cancelledUs <= untilUs,
  };
}
