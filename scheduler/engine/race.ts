import type { CopyOutcome, PolicyMemory } from "../../policies/memory.ts";
import type { Placement } from "../../policies/placement.ts";
import type { Learning } from "../../policies/learning/learning.ts";
import type { CopyPicture, Policy, RacePicture, Room } from "../../policies/policy.ts";
import type { Timed } from "../shared/timer-heap.ts";
import { NEVER, quorum, type CallTerms, type CopyState, type Lane, type SlowReason } from "../shared/vocabulary.ts";
import type { CallResult, Commands, CopyView, RaceView } from "./commands.ts";
import type { FleetClass } from "./fleet.ts";
import type { FleetNode } from "./fleet-node.ts";

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
  /** `challenge`: another operator is to answer a call whose result is sealed already. Nothing is paid, and no queue joined. */
  readonly purpose: "answer" | "challenge";
  /** What the decision may cost at most. */
  readonly capGwei: number;
  /** What one copy may cost at most, so that as many as the conflict rule asks for can be paid. */
  readonly copyCapGwei: number;
  readonly served: FleetClass;
  /** The policy under which it began; a change of policy is for later races. */
  readonly policy: Policy;
  readonly placement: Placement;
  readonly memory: PolicyMemory | undefined;
  readonly openedUs: number;
  readonly deadlineUs: number;
  readonly targetUs: number;
  readonly firstBlockUs: number;
  readonly blockUs: number;
  /** After this moment a new copy is not expected to help. */
  readonly lastUsefulUs: number;
  lane: Lane = "fast";
  /** In launch order, ended ones included. */
  readonly copies: Copy[] = [];
  live = 0;
  /** Accepted answers that wait for the conflict rule, and how many more it takes at the least. */
  held = 0;
  missing: number;
  /** Operators that must not be given a copy. */
  readonly excluded: readonly string[];
  /** The equivalence label that all copies must have, where answers are compared. */
  label: string | undefined;
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
    placement: Placement;
    openedUs: number;
    deadlineUs: number;
    targetUs: number;
    firstBlockUs: number;
    blockUs: number;
    lastUsefulUs: number;
    purpose: "answer" | "challenge";
    excluded: readonly string[];
    label: string | undefined;
  }) {
    this.id = fields.id;
    this.tx = fields.tx;
    this.callIndex = fields.callIndex;
    this.call = fields.call;
    this.capGwei = fields.capGwei;
    this.served = fields.served;
    this.policy = fields.policy;
    this.placement = fields.placement;
    // A challenge follows no policy, and what it meets says nothing of races.
    this.memory = fields.purpose === "answer" ? fields.served.memoryOf(fields.policy) : undefined;
    this.openedUs = fields.openedUs;
    this.deadlineUs = fields.deadlineUs;
    this.targetUs = fields.targetUs;
    this.firstBlockUs = fields.firstBlockUs;
    this.blockUs = fields.blockUs;
    this.lastUsefulUs = fields.lastUsefulUs;
    this.purpose = fields.purpose;
    this.excluded = fields.excluded;
    this.label = fields.label;
    this.missing = this.quorum;
    this.copyCapGwei = this.missing === 1 ? fields.capGwei : Math.floor(fields.capGwei / this.missing);
  }

  /** Name of the queue in which it waits for its first copy. */
  get queue(): string {
    return this.served.name;
  }

  get learning(): Learning | undefined {
    return this.served.learning;
  }

  get askedGwei(): number {
    return this.served.meanPriceGwei;
  }

  get room(): Room {
    return this.served.roomFor(this.copies);
  }

  /** Accepted answers that it takes. */
  get quorum(): number {
    return this.purpose === "challenge" ? 1 : quorum(this.call.conflict);
  }

  /** Accepted answers that count so far for the decision. */
  get counted(): number {
    return this.quorum - this.missing;
  }

  /** Whether answers of several nodes are compared. */
  get compares(): boolean {
    return this.purpose === "challenge" || this.call.conflict.kind !== "first-valid";
  }
}

/** One execution of a job on one node. */
export class Copy implements CopyView, CopyPicture {
  readonly id: number;
  readonly nonce: number;
  readonly node: FleetNode;
  /** Its node's operator at the launch: who registers again under another name stays who answered. */
  readonly operator: string;
  /** Likewise its equivalence label, where somebody may want to compare its answer; empty elsewhere. */
  readonly label: string;
  readonly race: Race;
  readonly speculative: boolean;
  readonly launchedUs: number;
  startedUs = NEVER;
  readonly leaseUs: number;
  /** What of the work budget it holds; 0 for primary copies. */
  readonly reservedUs: number;
  /** The buckets of the budget that it holds it of. */
  readonly grant: number;
  readonly feeGwei: number;
  /** What of its node's bond it holds; 0 outside mode `optimistic`. */
  bondGwei: number;
  /** Copies on its node when it was launched. */
  readonly ahead: number;
  state: CopyState = "sent";
  /** When its silence becomes an error: not accepted, not answered, or without a verdict. */
  dueUs: number;
  answeredUs = NEVER;
  /** When it was accepted, to be held. */
  acceptedUs = NEVER;
  endedUs = NEVER;
  outcome: CopyOutcome | undefined = undefined;
  outputHash = "";
  answerHash = "";
  /** The output as a number; NaN does not survive JSON, so none is `undefined`. */
  value: number | undefined = undefined;
  /** Its node signed another answer besides. */
  equivocated = false;
  /** Other answers that came under its name and were looked into. */
  suspicions = 0;

  constructor(fields: {
    id: number;
    nonce: number;
    node: FleetNode;
    operator: string;
    label: string;
    race: Race;
    speculative: boolean;
    launchedUs: number;
    leaseUs: number;
    reservedUs: number;
    grant: number;
    feeGwei: number;
    bondGwei: number;
    ahead: number;
    dueUs: number;
  }) {
    this.id = fields.id;
    this.nonce = fields.nonce;
    this.node = fields.node;
    this.operator = fields.operator;
    this.label = fields.label;
    this.race = fields.race;
    this.speculative = fields.speculative;
    this.launchedUs = fields.launchedUs;
    this.leaseUs = fields.leaseUs;
    this.reservedUs = fields.reservedUs;
    this.grant = fields.grant;
    this.feeGwei = fields.feeGwei;
    this.bondGwei = fields.bondGwei;
    this.ahead = fields.ahead;
    this.dueUs = fields.dueUs;
  }

  /** Sent, running or verifying: it can still win. */
  get live(): boolean {
    return this.state === "sent" || this.state === "running" || this.state === "verifying";
  }

  /** Its answer was accepted, and waits for others. */
  get held(): boolean {
    return this.state === "held";
  }

  /** Sent or running: it takes up room on its node. */
  get executing(): boolean {
    return this.state === "sent" || this.state === "running";
  }
}

/** What the rest of the engine learns from the races. */
export interface RaceListener {
  decided(race: Race, winner: Copy, result: CallResult, nowUs: number, out: Commands): void;
  /** A race with purpose `challenge` has its answer. */
  challengeAnswered(race: Race, copy: Copy, nowUs: number, out: Commands): void;
  slowed(race: Race, reason: SlowReason, out: Commands): void;
  readonly height: number;
}
