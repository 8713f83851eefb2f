import type { SealedBlock } from "../../scheduler/engine/commands.ts";
import type { EngineConfig } from "../../scheduler/engine/config.ts";
import { Engine } from "../../scheduler/engine/engine.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { type Command, Recorder } from "../../scheduler/engine/recorder.ts";
import { CopyObserver } from "./copy-observer.ts";
import { OutcomeBook } from "./outcome.ts";
import { ReportObserver } from "./report-observer.ts";
import { challengeable } from "./challenges.ts";
import {
  callKey,
  type Given,
  type PreExecutionRecord,
  RECORDING_LIMITS,
  type Recording,
  RecordingError,
} from "./recording.ts";

/**
 * Makes a recording of a journal: steps a fresh production engine through its batches, so that each event is seen together
 * with the commands before and after it.
 */
export class Observer {
  readonly #config: EngineConfig;
  readonly #engine: Engine;
  readonly #recorder = new Recorder();
  readonly #copies = new CopyObserver();
  readonly #reports = new ReportObserver();
  readonly #book = new OutcomeBook();
  readonly #given: Given[] = [];
  readonly #preExecutions = new Map<string, PreExecutionRecord[]>();
  /** Pre-executions under way, by transaction and round. */
  readonly #running = new Map<string, { readonly hash: string; readonly answered: number; readonly atUs: number }>();
  readonly #nodes = new Map<string, { warm: readonly string[]; reports: number }>();
  readonly #sampled = new Map<string, boolean>();
  readonly #slots = new Map<string, number>();
  #startedUs: number | undefined;
  #endedUs = 0;

  constructor(config: EngineConfig) {
    this.#config = config;
    this.#engine = new Engine(config);
  }

  /** One batch of the journal. Throws RecordingError when there is more than can be held. */
  step(atUs: number, events: readonly EngineEvent[]): void {
    this.#startedUs ??= atUs;
    this.#endedUs = Math.max(this.#endedUs, atUs);
    for (const event of events) {
      this.#heard(atUs, event);
      this.#engine.step(atUs, event, this.#recorder);
      for (const command of this.#recorder.take()) this.#commanded(atUs, command);
    }
  }

  /** Throws RecordingError when nothing was recorded. */
  recording(): Recording {
    if (this.#startedUs === undefined)
      throw new RecordingError("The journal holds no events: let the run last longer.");
    return {
      config: this.#config,
      startedUs: this.#startedUs,
      endedUs: this.#endedUs,
      given: this.#given,
      preExecutions: this.#preExecutions,
      copies: this.#copies.records(this.#slots, this.#endedUs),
      nodes: this.#nodes,
      changeReports: this.#reports.changeReports,
      verifications: this.#copies.verifications,
      sampled: this.#sampled,
      actual: this.#book.outcome(this.#engine),
    };
  }

  #heard(atUs: number, event: EngineEvent): void {
    switch (event.kind) {
      case "submitted":
        return this.#submitted(atUs, event);
      case "node-joined":
        this.#slots.set(event.node.id, event.node.slots);
        return this.#give({ atUs, event });
      case "node-left":
        this.#copies.nodeLeft(event.node, atUs);
        return this.#give({ atUs, event });
      case "deposited":
      case "withdrawn":
      case "state-changed":
      case "bond-changed":
      case "block-opened":
      case "seal-requested":
      case "block-committed":
      case "block-reverted":
      case "policy-changed":
        return this.#give({ atUs, event });
      case "node-reported":
        // It was heard before its registration was through, and the engine did not know it.
        if (!this.#slots.has(event.node)) return;
        this.#reports.reported(event.node, atUs);
        this.#nodes.set(event.node, { warm: event.warm, reports: (this.#nodes.get(event.node)?.reports ?? 0) + 1 });
        return;
      case "calls-discovered":
        return this.#preExecuted(atUs, event, { kind: event.kind, calls: event.calls });
      case "pre-executed":
        return this.#preExecuted(atUs, event, { kind: event.kind, readSet: event.readSet });
      case "pre-execution-failed":
        return this.#preExecuted(atUs, event, { kind: event.kind, reason: event.reason });
      case "copy-accepted":
        this.#reports.changed(event.node, atUs);
        return this.#copies.accepted(event.copy, event.node, atUs);
      case "copy-progressed":
        return this.#copies.accepted(event.copy, event.node, atUs);
      case "copy-answered":
        this.#reports.changed(event.node, atUs);
        return this.#copies.answered(event, atUs);
      case "copy-failed":
        this.#reports.changed(event.node, atUs);
        return this.#copies.failed(event.copy, event.node, event.reason, atUs);
      case "verdict":
        return this.#copies.verdict(event.copy, event.accepted, event.reason, atUs);
      // The engine's own timer, and a process that came back: a run that is played has its own, and does not crash.
      case "woken":
      case "restarted":
      case "registry-changed":
      case "suspicion-judged":
        return;
      // Whom the sample falls on depends on what was sealed: a run that is played asks again.
      case "challenged":
        this.#sampled.set(callKey(event.txHash, event.callIndex), true);
        return;
    }
  }

  #give(given: Given): void {
    if (this.#given.length >= RECORDING_LIMITS.given) {
      throw new RecordingError(
        `There are more than ${RECORDING_LIMITS.given} events: give the journal of a shorter run.`,
      );
    }
    this.#given.push(given);
  }

  #submitted(atUs: number, event: Extract<EngineEvent, { kind: "submitted" }>): void {
    const { transaction } = event;
    const nextNonce = this.#engine.account(transaction.sender)?.nextNonce ?? 0;
    this.#give({ atUs, event, nonceOffset: transaction.nonce - nextNonce });
    this.#book.submitted(transaction);
  }

  #preExecuted(
    atUs: number,
    { tx, round }: { readonly tx: number; readonly round: number },
    found: PreExecutionRecord["found"],
  ): void {
    const running = this.#running.get(`${tx}/${round}`);
    if (running === undefined) return;
    this.#running.delete(`${tx}/${round}`);
    const { hash, answered } = running;
    const records = this.#preExecutions.get(hash) ?? [];
    records.push({ answered, tookUs: atUs - running.atUs, found });
    this.#preExecutions.set(hash, records);
  }

  #sealed(block: SealedBlock): void {
    for (const { txHash, callIndex } of challengeable(block)) {
      const key = callKey(txHash, callIndex);
      if (!this.#sampled.has(key)) this.#sampled.set(key, false);
    }
  }

  #commanded(atUs: number, command: Command): void {
    this.#book.note(command);
    if (command.kind === "dispatch") this.#copies.launched(command.copy, atUs);
    else if (command.kind === "sealed") this.#sealed(command.block);
    else if (command.kind === "cancel") this.#copies.cancelled(command.copy.id, atUs);
    else if (command.kind === "preExecute") {
      const { id, round, hash, calls } = command.transaction;
      const answered = calls.filter(({ result }) => result !== undefined).length;
      this.#running.set(`${id}/${round}`, { hash, answered, atUs });
    }
  }
}
