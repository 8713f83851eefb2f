import type { Semaphore } from "effect";
import type { PipeService } from "../live/layers.ts";
import type { Bodies } from "./body.ts";
import type { DepositKeys } from "./deposit-keys.ts";
import type { Followers } from "./followers.ts";
import type { HttpLimits } from "./limits.ts";
import type { Problem } from "./problems.ts";

/** For so long nobody has confirmed that a scheduler leads its shard, and as far as is known for this reason. */
export interface LeadDoubt {
  readonly unconfirmedMs: number;
  readonly reason: string;
}

/** What the routes answer from. */
export interface Face {
  readonly pipe: PipeService["Service"];
  readonly chainId: string;
  /** Where the records stand; `undefined` for a scheduler that keeps none. */
  readonly directory: string | undefined;
  /** Why an account is not this scheduler's affair; `undefined` when it is. */
  readonly misdirected: (account: string) => Problem | undefined;
  readonly limits: HttpLimits;
  /** What everybody sends, and what the producer does: nobody else can use up the latter's room. */
  readonly bodies: Bodies;
  readonly producerBodies: Bodies;
  /** For what takes a while to find. */
  readonly lookups: Semaphore.Semaphore;
  readonly followers: Followers;
  readonly deposits: DepositKeys;
  readonly isProducer: (token: string) => boolean;
  /** Why another scheduler may lead by now; `undefined` while this one surely leads. */
  readonly doubt: () => LeadDoubt | undefined;
  /** Nothing new is taken any more. */
  readonly isClosing: () => boolean;
  /** Why the scheduler cannot go on; `undefined` as long as it can. */
  readonly failure: () => Error | undefined;
}
