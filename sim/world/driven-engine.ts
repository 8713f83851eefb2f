import type { Commands } from "../../scheduler/engine/commands.ts";
import type { FailureReason, NodeTerms } from "../../scheduler/shared/vocabulary.ts";

/** Events that every engine of a world understands. Reused, so that telling it something allocates nothing. */
export const ACCEPTED = { kind: "copy-accepted" as const, copy: 0, node: "" };
export const ANSWER = { kind: "copy-answered" as const, copy: 0, node: "", outputHash: "output", answerHash: "answer" };
export const FAILED = { kind: "copy-failed" as const, copy: 0, node: "", reason: "error" as FailureReason };
export const VERDICT = { kind: "verdict" as const, copy: 0, accepted: true, reason: "valid" };
export const WOKEN = { kind: "woken" as const };

export type WorldEvent =
  | typeof ACCEPTED
  | typeof ANSWER
  | typeof FAILED
  | typeof VERDICT
  | typeof WOKEN
  | { readonly kind: "node-joined"; readonly node: NodeTerms }
  | { readonly kind: "node-left"; readonly node: string };

/** An engine as the world drives it: in through `step`, out through the sink, and one timer. */
export interface DrivenEngine {
  step(nowUs: number, event: WorldEvent, out: Commands): void;
  nextWakeUs(): number;
}
