import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { CopyEnd, PlainData, PolicyMemory } from "../memory.ts";
import type { Policy, RacePicture } from "../policy.ts";
import { lookAt, memoryOf, needed, replacements } from "./reading.ts";

export interface GrpcHedgingSpec {
  readonly kind: "grpc-hedging";
  /** Attempts of one request, the first included; the proposal's clients send no more than 5. */
  readonly maxAttempts: number;
  /** From one attempt to the next; 0 sends all at once. */
  readonly hedgingDelayMs: number;
  /** What the bucket of tokens holds at the most, and in the beginning. */
  readonly maxTokens: number;
  /** Tokens that a success gives back. A failure takes one, and with half of them or less nobody hedges. */
  readonly tokenRatio: number;
  /** When a copy is given back as refused: the next attempt so much later; `none`, and the race has no further attempts. */
  readonly pushbackMs: number | "none";
}

/**
 * Hedging as gRPC's proposal A6 describes it ("Client Retries", hedging policy, throttling, pushback). The server name, to
 * which it ties the tokens, is here the (model, mode). No status is fatal here: a node's error never ends a job (P4).
 */
export function grpcHedging(spec: GrpcHedgingSpec): Policy {
  return {
    spec,
    decide(race, { nowUs }, decision) {
      const lost = replacements(race);
      const delayUs = spec.hedgingDelayMs * 1_000;
      const left = spec.maxAttempts - (race.launched - needed(race) + 1) - lost;
      decision.launch = lost;
      decision.lookAtUs = NEVER;
      let dueUs = left > 0 ? nextAttemptUs(spec, race, lost > 0 ? nowUs : undefined) : NEVER;
      if (dueUs === NEVER) return;
      const allowed = memoryOf(race, GrpcThrottle).allowsHedging;
      if (dueUs <= nowUs && allowed) {
        decision.launch += delayUs === 0 ? left : 1;
        dueUs = delayUs === 0 || left === 1 ? NEVER : nowUs + delayUs;
      } else if (dueUs <= nowUs) {
        // Throttled attempts are left out, they do not wait; the next one has its own moment.
        dueUs = delayUs === 0 ? NEVER : dueUs + (Math.floor((nowUs - dueUs) / delayUs) + 1) * delayUs;
      }
      decision.lookAtUs = lookAt(dueUs, nowUs);
    },
    remember: (snapshot) => new GrpcThrottle(spec, snapshot),
  };
}

/** A delay after the last attempt, or at once after a failure since then, or as long after a refusal as pushback says. */
function nextAttemptUs(spec: GrpcHedgingSpec, race: RacePicture, replacedUs: number | undefined): number {
  const pushed = spec.pushbackMs === "none" ? NEVER : spec.pushbackMs * 1_000;
  let lastUs = replacedUs ?? race.openedUs;
  for (const { launchedUs } of race.copies) lastUs = Math.max(lastUs, launchedUs);
  let dueUs = lastUs + spec.hedgingDelayMs * 1_000;
  let sinceUs = lastUs;
  for (const { outcome, endedUs } of race.copies) {
    if (outcome === "refused" && pushed === NEVER) return NEVER;
    const failed = outcome === "failed" || outcome === "rejected" || outcome === "silent";
    // An attempt that was sent in the moment of the failure is the one that the failure called for.
    if (endedUs <= sinceUs || !(failed || outcome === "refused")) continue;
    dueUs = failed ? endedUs : endedUs + pushed;
    sinceUs = endedUs;
  }
  return dueUs;
}

/** The bucket of tokens: a failure takes one, a success gives a part of one back. */
class GrpcThrottle implements PolicyMemory {
  readonly #maxTokens: number;
  readonly #tokenRatio: number;
  #tokens: number;

  constructor({ maxTokens, tokenRatio }: GrpcHedgingSpec, snapshot?: PlainData) {
    this.#maxTokens = maxTokens;
    this.#tokenRatio = tokenRatio;
    this.#tokens = snapshot === undefined ? maxTokens : (snapshot as { readonly tokens: number }).tokens;
  }

  get allowsHedging(): boolean {
    return this.#tokens > this.#maxTokens / 2;
  }

  ended({ outcome }: CopyEnd): void {
    if (outcome === "cancelled") return;
    const change = outcome === "accepted" ? this.#tokenRatio : -1;
    this.#tokens = Math.min(this.#maxTokens, Math.max(0, this.#tokens + change));
  }

  opened(): void {}
  launched(): void {}
  decided(): void {}

  snapshot(): PlainData {
    return { tokens: this.#tokens };
  }
}
