import type { PolicySpec } from "../../policies/policy.ts";
import type { CopyView, SealedBlock, TransactionView } from "../../scheduler/engine/commands.ts";
import { Engine } from "../../scheduler/engine/engine.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { type Command, Recorder } from "../../scheduler/engine/recorder.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import { NEVER, type NodeTerms } from "../../scheduler/shared/vocabulary.ts";
import { EventHeap } from "../kernel/event-heap.ts";
import { streamFor } from "../kernel/streams.ts";
import { challengeable, Sample } from "./challenges.ts";
import type { Course, FleetBehaviour } from "./course.ts";
import { type NodeWord, type PlacedCopy, RecordedNode } from "./nodes.ts";
import { type Outcome, OutcomeBook } from "./outcome.ts";
import { type CallOutputs, outputsOf } from "./outputs.ts";
import { callKey, type Given, type PreExecutionRecord, type Recording } from "./recording.ts";

export interface PlayOptions {
  /** `recorded`: the one that was in force, with its changes. */
  readonly policy: PolicySpec | "recorded";
  /** Of the nodes' luck and of the engine's own random numbers. The same seed gives the same run. */
  readonly seed: number;
  readonly fleet: FleetBehaviour;
  /** Sees each step; for checkers. */
  readonly watch?: (nowUs: number, event: EngineEvent, commands: readonly Command[]) => void;
}

/**
 * Plays a recording against the production engine: users, blocks, pre-execution, and nodes that come and go are as they were;
 * races, copies and what nodes and verifiers make of them happen anew, under a policy of one's choice.
 */
export function playRecording(recording: Recording, options: PlayOptions): Outcome {
  return new RecordedWorld(recording, options).run();
}

/** What comes first among events of one moment: what was given, then what nodes say, then timers. */
const GIVEN = 0;
const HAPPENS = 1;
const WAKES = 2;

interface Link {
  readonly node: RecordedNode;
  /** When the last copy arrives that was sent there. */
  lastThereUs: number;
}

class RecordedWorld {
  readonly #recording: Recording;
  readonly #options: PlayOptions;
  readonly #engine: Engine;
  readonly #recorder = new Recorder();
  readonly #book = new OutcomeBook();
  readonly #heap = new EventHeap();
  /** By payload. */
  readonly #acts: ((() => void) | undefined)[] = [];
  readonly #freeActs: number[] = [];
  readonly #links = new Map<string, Link>();
  /** Copies of a call that a node took so far. */
  readonly #ordinals = new Map<string, number>();
  readonly #courses = new Map<number, PlacedCopy>();
  readonly #outputs: ReadonlyMap<string, CallOutputs>;
  readonly #sample: Sample;
  #nowUs = 0;
  #wakeUs = NEVER;

  constructor(recording: Recording, options: PlayOptions) {
    const { config } = recording;
    this.#recording = recording;
    this.#options = options;
    this.#outputs = outputsOf(recording.copies);
    this.#sample = new Sample(recording, options.seed);
    const policy = options.policy === "recorded" ? config.policy : options.policy;
    const seed = Math.floor(streamFor(options.seed, 0, "engine").unit() * 2 ** 31);
    this.#engine = new Engine({ ...config, policy, seed });
  }

  run(): Outcome {
    const { given, endedUs } = this.#recording;
    this.#give(given, 0);
    while (this.#heap.popNext() && this.#heap.timeUs <= endedUs) {
      this.#nowUs = this.#heap.timeUs;
      const { payload } = this.#heap;
      const act = this.#acts[payload];
      this.#forget(payload);
      act?.();
    }
    return this.#book.outcome(this.#engine);
  }

  // ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Not before that time: a moment between two microseconds is the later one, since at the earlier a timer is not due. */
  #at(us: number, priority: number, act: () => void): () => void {
    const payload = this.#freeActs.pop() ?? this.#acts.length;
    this.#acts[payload] = act;
    const handle = this.#heap.schedule(Math.max(Math.ceil(us), this.#heap.timeUs), priority, payload);
    return () => {
      if (this.#heap.cancel(handle)) this.#forget(payload);
    };
  }

  #forget(payload: number): void {
    this.#acts[payload] = undefined;
    this.#freeActs.push(payload);
  }

  /** One after the other, so that the heap holds no more than what is under way. */
  #give(given: readonly Given[], index: number): void {
    const next = given[index];
    if (next === undefined) return;
    this.#at(next.atUs, GIVEN, () => {
      this.#tellGiven(next);
      this.#give(given, index + 1);
    });
  }

  #tellGiven(given: Given): void {
    const { event } = given;
    if (event.kind === "submitted" && "nonceOffset" in given) return this.#submit(event.transaction, given.nonceOffset);
    if (event.kind === "policy-changed" && this.#options.policy !== "recorded") return;
    this.#tell(event);
    if (event.kind === "node-joined") this.#joined(event.node);
    else if (event.kind === "node-left") this.#left(event.node);
  }

  #submit(recorded: Extract<Given["event"], { kind: "submitted" }>["transaction"], nonceOffset: number): void {
    const nextNonce = this.#engine.account(recorded.sender)?.nextNonce ?? 0;
    const transaction = { ...recorded, nonce: Math.max(0, nextNonce + nonceOffset) };
    this.#book.submitted(transaction);
    this.#tell({ kind: "submitted", transaction });
  }

  // ── the engine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #tell(event: EngineEvent): void {
    const { watch } = this.#options;
    this.#engine.step(this.#nowUs, event, this.#recorder);
    const commands = this.#recorder.take();
    watch?.(this.#nowUs, event, commands);
    for (const command of commands) {
      this.#book.note(command);
      this.#carryOut(command);
    }
    this.#wakeAt(this.#engine.nextWakeUs());
  }

  #wakeAt(us: number): void {
    if (us >= this.#wakeUs) return;
    this.#wakeUs = us;
    this.#at(us, WAKES, () => {
      if (this.#wakeUs > this.#nowUs) return;
      this.#wakeUs = NEVER;
      if (this.#engine.nextWakeUs() <= this.#nowUs) this.#tell({ kind: "woken" });
      else this.#wakeAt(this.#engine.nextWakeUs());
    });
  }

  #carryOut(command: Command): void {
    switch (command.kind) {
      case "preExecute":
        return this.#preExecute(command.transaction);
      case "dispatch":
        return this.#dispatch(command.copy);
      case "cancel":
        return this.#cancel(command.copy);
      case "verify":
        return this.#verify(command.copy);
      case "sealed":
        return this.#sealed(command.block);
      default:
        return;
    }
  }

  /** The sampler speaks in the loop's next turn. */
  #sealed(block: SealedBlock): void {
    for (const sealed of challengeable(block)) {
      if (this.#sample.fallsOn(sealed))
        this.#at(this.#nowUs, HAPPENS, () => this.#tell({ kind: "challenged", ...sealed }));
    }
  }

  // ── pre-execution ────────────────────────────────────────────────────────────────────────────────────────────────

  #preExecute({ id: tx, round, hash, calls }: TransactionView): void {
    const answered = calls.filter(({ result }) => result !== undefined).length;
    const { tookUs, found } = preExecutionOf(this.#recording.preExecutions.get(hash) ?? [], answered);
    this.#at(this.#nowUs + tookUs, HAPPENS, () => this.#tell({ ...found, tx, round }));
  }

  // ── nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #joined(terms: NodeTerms): void {
    this.#links.get(terms.id)?.node.leave();
    const node = new RecordedNode(terms, this.#options.fleet, {
      nowUs: () => this.#nowUs,
      at: (us, act) => this.#at(us, HAPPENS, act),
      say: (word, backUs) => this.#say(link, terms.id, word, backUs),
    });
    const link: Link = { node, lastThereUs: this.#nowUs };
    this.#links.set(terms.id, link);
    node.join();
  }

  #left(id: string): void {
    this.#links.get(id)?.node.leave();
    this.#links.delete(id);
    // A process that comes back counts anew.
    for (const call of this.#ordinals.keys()) if (call.startsWith(`${id}/`)) this.#ordinals.delete(call);
  }

  #dispatch({ id, node, race, leaseUs }: CopyView): void {
    const link = this.#links.get(node.id);
    if (link === undefined) return;
    const { callIndex, call } = race;
    const named = callKey(race.tx.hash, callIndex);
    const key = `${node.id}/${named}`;
    const ordinal = this.#ordinals.get(key) ?? 0;
    this.#ordinals.set(key, ordinal + 1);
    const name = { node: node.id, txHash: race.tx.hash, callIndex, ordinal, call };
    const course = this.#options.fleet.course(name, this.#options.seed, this.#nowUs);
    const copy: PlacedCopy = { id, call: named, course, leaseUs, state: "travelling", forget: () => undefined };
    this.#courses.set(id, copy);
    link.lastThereUs = this.#arrivalUs(link, course);
    this.#at(link.lastThereUs, HAPPENS, () => link.node.arrive(copy));
  }

  #cancel({ id, node }: CopyView): void {
    const link = this.#links.get(node.id);
    const copy = this.#courses.get(id);
    if (link !== undefined && copy !== undefined) {
      this.#at(this.#arrivalUs(link, copy.course), HAPPENS, () => link.node.cancel(id));
    }
  }

  /** Messages to a node keep their order, and wait for the same thing. */
  #arrivalUs({ node, lastThereUs }: Link, { there, behind }: Course): number {
    return lastThereUs > this.#nowUs ? lastThereUs + node.waitUs(behind) : this.#nowUs + node.waitUs(there);
  }

  #say(link: Link, node: string, word: NodeWord, backUs: number): void {
    this.#at(this.#nowUs + backUs, HAPPENS, () => {
      if (this.#links.get(node) === link) this.#hear(link, node, word);
    });
  }

  #hear(link: Link, node: string, word: NodeWord): void {
    switch (word.kind) {
      case "accepted":
        return this.#tell({ kind: "copy-accepted", copy: word.copy, node });
      case "answered":
        for (const output of word.copy.course.outputs) this.#answered(word.copy, node, output);
        return;
      case "failed":
        return this.#tell({ kind: "copy-failed", copy: word.copy, node, reason: word.reason });
      case "reported": {
        const { running, queued } = word;
        return this.#tell({ kind: "node-reported", node, running, queued, warm: link.node.warm });
      }
    }
  }

  #answered({ id: copy, call }: PlacedCopy, node: string, output: "right" | "wrong"): void {
    const outputHash = sha256Hex(Buffer.from(`${call}/${output}`));
    // A proof is a node's own, and made for one assignment.
    const answerHash = sha256Hex(Buffer.from(`${outputHash}/${node}/${copy}`));
    // Only the rule `median` looks at it, and is allowed only where the model says how to read one.
    const right = this.#outputs.get(call)?.value ?? 1;
    const value = output === "right" ? right : -right || 1;
    this.#tell({ kind: "copy-answered", copy, node, outputHash, answerHash, value });
  }

  #verify({ id }: CopyView): void {
    const copy = this.#courses.get(id);
    if (copy === undefined) return;
    const { verificationUs, rejectedBecause } = copy.course;
    const accepted = rejectedBecause === undefined;
    this.#at(this.#nowUs + verificationUs, HAPPENS, () =>
      this.#tell({ kind: "verdict", copy: id, accepted, reason: rejectedBecause ?? "valid" }),
    );
  }
}

/**
 * What pre-execution says with so many results at hand: what it said then. Where the real run never came so far, the calls that
 * it knew are taken for all that there are.
 */
function preExecutionOf(
  records: readonly PreExecutionRecord[],
  answered: number,
): Pick<PreExecutionRecord, "tookUs" | "found"> {
  const known = records.find((record) => record.answered === answered);
  if (known !== undefined) return known;
  const tookUs = records.at(-1)?.tookUs ?? 0;
  if (records.length === 0) {
    return { tookUs, found: { kind: "pre-execution-failed", reason: "the real run never pre-executed it" } };
  }
  const discovered = records.findLast(({ found }) => found.kind === "calls-discovered")?.found;
  const calls = discovered?.kind === "calls-discovered" ? discovered.calls : [];
  if (answered < calls.length && discovered !== undefined) return { tookUs, found: discovered };
  return { tookUs, found: { kind: "pre-executed", readSet: [] } };
}
