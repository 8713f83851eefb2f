import type { Policy, RacePicture } from "../../policies/policy.ts";
import type { Timed } from "../shared/timer-heap.ts";
import { NEVER, type CallTerms, type CopyState, type Lane, type SlowReason } from "../shared/vocabulary.ts";
import type { CallResult, Commands, CopyView, RaceView } from "./commands.ts";
import type { FleetClass, FleetNode } from "./fleet.ts";

/** The transaction that a race is run for, as far as the race needs it. */
export interface RaceOwner {
  readonly id: number;
  readonly hash: string;
  readonly seq: number;
  readonly sender: string;
  readonly nonce: number;
}

/** All copies of one job, until a winner or the transaction's end. */
export class Race implements RaceView, RacePicture, Timed {
  readonly timed = "race";
  readonly id: number;
  readonly tx: RaceOwner;
  readonly callIndex: number;
  readonly call: CallTerms;
  /** What a winner may cost at most. */
  readonly capGwei: number;
  readonly served: FleetClass;
  /** The policy under which it began; a change of policy is for later races. */
  readonly policy: Policy;
  readonly openedUs: number;
  readonly deadlineUs: number;
  /** After this moment a new copy is not expected to help. */
  readonly lastUsefulUs: number;
  lane: Lane = "fast";
  /** In launch order, ended ones included. */
  readonly copies: Copy[] = [];
  live = 0;
  launched = 0;
  lost = 0;
  /** Width of the initial fan-out; 0 before it. */
  fanOut = 0;
  /** Waits in its class's queue for a first copy. */
  queued = false;
  /** Waits for a node that it can afford; tries again at `lookUs`. */
  parked = false;
  lookUs = NEVER;
  wakeUs = NEVER;
  wakeSeq = 0;
  heapIndex = -1;

  constructor(fields: {
    id: number;
    tx: RaceOwner;
    callIndex: number;
    call: CallTerms;
    capGwei: number;
    served: FleetClass;
    policy: Policy;
    openedUs: number;
    deadlineUs: number;
    lastUsefulUs: number;
  }) {
    this.id = fields.id;
    this.tx = fields.tx;
    this.callIndex = fields.callIndex;
    this.call = fields.call;
    this.capGwei = fields.capGwei;
    this.served = fields.served;
    this.policy = fields.policy;
    this.openedUs = fields.openedUs;
    this.deadlineUs = fields.deadlineUs;
    this.lastUsefulUs = fields.lastUsefulUs;
  }

  /** Name of the queue in which it waits for its first copy. */
  get queue(): string {
    return this.served.name;
  }
}

/** One execution of a job on one node. */
export class Copy implements CopyView {
  readonly id: number;
  readonly nonce: number;
  readonly node: FleetNode;
  readonly race: Race;
  readonly speculative: boolean;
  readonly launchedUs: number;
  readonly leaseUs: number;
  /** What of the work budget it holds; 0 for primary copies. */
  readonly reservedUs: number;
  readonly feeGwei: number;
  state: CopyState = "sent";
  /** When its silence becomes an error: not accepted, not answered, or without a verdict. */
  dueUs: number;
  answeredUs = NEVER;
  outputHash = "";
  answerHash = "";
  /** Its node gave another answer besides. */
  equivocated = false;

  constructor(fields: {
    id: number;
    nonce: number;
    node: FleetNode;
    race: Race;
    speculative: boolean;
    launchedUs: number;
    leaseUs: number;
    reservedUs: number;
    feeGwei: number;
    dueUs: number;
  }) {
    this.id = fields.id;
    this.nonce = fields.nonce;
    this.node = fields.node;
    this.race = fields.race;
    this.speculative = fields.speculative;
    this.launchedUs = fields.launchedUs;
    this.leaseUs = fields.leaseUs;
    this.reservedUs = fields.reservedUs;
    this.feeGwei = fields.feeGwei;
    this.dueUs = fields.dueUs;
  }

  /** Sent, running or verifying: it can still win. */
  get live(): boolean {
    return this.state === "sent" || this.state === "running" || this.state === "verifying";
  }

  /** Sent or running: it takes up room on its node. */
  get executing(): boolean {
    return this.state === "sent" || this.state === "running";
  }
}

/** What the rest of the engine learns from the races. */
export interface RaceListener {
  decided(race: Race, result: CallResult, nowUs: number, out: Commands): void;
  slowed(race: Race, reason: SlowReason, out: Commands): void;
  readonly height: number;
}
