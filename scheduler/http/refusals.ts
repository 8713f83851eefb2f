import { Effect } from "effect";
import type { HttpServerResponse } from "effect/http";
import type { SealRefusal } from "../engine/commands.ts";
import { PipeFailed } from "../live/layers.ts";
import type { SubmitProblem } from "../live/outcomes.ts";
import type { LeadDoubt } from "./face.ts";
import { Problem, problemResponse } from "./problems.ts";

/** Why a transaction was not taken, as HTTP says it. What the mempool says is known is no problem; see `submit`. */
export function refusedTransaction(problem: SubmitProblem): Problem {
  const { advice } = problem;
  switch (problem.kind) {
    case "malformed": {
      const { path, message } = problem;
      const place = path === "" ? "the transaction" : path;
      return new Problem({ kind: "malformed", detail: `${place}: ${message}`, advice, extra: { path } });
    }
    case "oversized": {
      const { what, size, limit } = problem;
      const detail = `The ${what} has a size of ${size}; at most ${limit} is taken.`;
      return new Problem({ kind: "oversized", detail, advice, extra: { what, size, limit } });
    }
    case "wrong-chain": {
      const { chainId, expected } = problem;
      const detail = `It is signed for ${chainId}.`;
      return new Problem({ kind: "wrong-chain", detail, advice, extra: { chainId, expected } });
    }
    case "bad-signature":
      return new Problem({ kind: "bad-signature", detail: "It is not signed by its sender, or was changed.", advice });
    case "rejected": {
      const { reason, ...extra } = problem.rejection;
      // A duplicate of what has left the mempool since: its nonce tells.
      const kind = reason === "duplicate" ? "nonce-used" : reason;
      return new Problem({ kind, detail: `The mempool refused it: ${reason}.`, advice, extra });
    }
    case "not-registered": {
      const { reason, ...extra } = problem.refusal;
      return new Problem({ kind: reason, detail: `The registry does not allow it: ${reason}.`, advice, extra });
    }
    case "overloaded":
      return new Problem({ kind: "overloaded", detail: "More comes in than can be made durable.", advice });
    case "closed":
      return new Problem({ kind: "closed", detail: "Nothing is taken any more.", advice });
    default:
      return problem satisfies never;
  }
}

/** Why a block was not sealed. */
export function refusedSeal(refusal: SealRefusal, advice: string): Problem {
  const { reason, ...extra } = refusal;
  return new Problem({ kind: reason, detail: `Block ${refusal.height} was not sealed: ${reason}.`, advice, extra });
}

function failedScheduler({ reason, message }: PipeFailed): Problem {
  const advice = {
    overloaded: "Nothing was done; send the same request again after a second.",
    closed: "Nothing was done; send the same request again when it is back.",
    failed: "What was acknowledged is safe; what was under way may or may not have been done. Ask when it is back.",
  }[reason];
  return new Problem({ kind: reason, detail: message, advice });
}

/** Who cannot know whether he still leads answers as who does not. */
export function doubtful({ unconfirmedMs, reason }: LeadDoubt): Problem {
  return new Problem({
    kind: "standby",
    detail: `This scheduler cannot know whether it still leads: ${reason}.`,
    advice: "Ask the other schedulers of the shard, and this one again after a second. Nothing was done.",
    extra: { unconfirmedMs: Math.round(unconfirmedMs) },
  });
}

/** An effect that answers with its result, or with the problem that it met. */
export function answering<A, R>(
  effect: Effect.Effect<A, Problem | PipeFailed, R>,
): Effect.Effect<A | HttpServerResponse.HttpServerResponse, never, R> {
  return Effect.catch(effect, (error) =>
    Effect.succeed(problemResponse(error instanceof PipeFailed ? failedScheduler(error) : error)),
  );
}
