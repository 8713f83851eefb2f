import type { CopyView, TransactionView } from "../engine/commands.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { Command } from "../engine/recorder.ts";
import { sha256Hex } from "../proofs/digest.ts";
import type { Registration } from "../proofs/judge.ts";
import { registrationNonce } from "../proofs/nitro/attestation.ts";
import { outputNumber } from "../proofs/output-number.ts";
import { isProof } from "../proofs/proof.ts";
import { describeCallRefusal, refuseCalls } from "../registry/call-check.ts";
import type { Registry } from "../registry/registry.ts";
import type { FailureReason, Mode } from "../shared/vocabulary.ts";
import { encodeAnswer } from "../proofs/answer.ts";
import type { LiveClock } from "./clock.ts";
import type { Custody, HeldCopy, Signer } from "./custody.ts";
import type { Blob } from "./inbox.ts";
import type { LiveLimits } from "./limits.ts";
import type { PreExecution, PreExecutor } from "./pre-executor.ts";
import { isPreExecution, isWellFormed } from "./message-check.ts";
import type { RegistrationEpochs } from "./registration-epochs.ts";
import type { Registrations } from "./registrations.ts";
import type { NodeMessage, Transport } from "./transport.ts";
import type { Verdict, Verifier } from "./verification.ts";

export interface WorldOptions {
  readonly chainId: string;
  readonly clock: LiveClock;
  readonly limits: LiveLimits;
  readonly custody: Custody;
  readonly transport: Transport;
  readonly verifier: Verifier;
  readonly preExecutor: PreExecutor;
  readonly registrations: Registrations;
  readonly epochs: RegistrationEpochs;
  readonly registry: Registry;
  /** What the world has to say to the engine. `reply` is never dropped, `message` may be. */
  readonly reply: (event: EngineEvent, blobs?: readonly Blob[]) => void;
  readonly message: (event: EngineEvent, blobs: readonly Blob[]) => void;
  /** `waitedUs`: how long the proof waited for verifiers. */
  readonly onVerdict: (verdict: Verdict, mode: Mode, waitedUs: number) => void;
  /** A node said something that is no message; it is not listened to. */
  readonly onMalformed: (said: unknown) => void;
}

/**
 * Carries out the commands that go to nodes, verifiers and the pre-executor, and turns what comes back into events. Nothing
 * here blocks; what the other side fails to do comes back as an event, or as silence that a lease ends.
 */
export class World {
  readonly #options: WorldOptions;
  readonly #waiting: TransactionView[] = [];
  /** Pre-executions under way. */
  #running = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
  }

  carryOut(command: Command): void {
    switch (command.kind) {
      case "dispatch":
        return this.#dispatch(command.copy);
      case "cancel":
        return this.#options.transport.cancel(command.copy.node.id, command.copy.id);
      case "verify":
        return this.#verify(command.copy);
      case "suspect":
        return this.#suspect(command.suspicion.copy);
      case "preExecute":
        this.#waiting.push(command.transaction);
        return this.#preExecuteNext();
      default:
        return;
    }
  }

  /** What a node says, as the engine hears it. */
  hear(said: NodeMessage): void {
    const { message, registrations } = this.#options;
    if (!isWellFormed(said)) return this.#options.onMalformed(said);
    switch (said.kind) {
      case "joined":
        return registrations.join(said);
      case "left":
        return registrations.leave(said.node);
      case "reported":
        return message(
          { kind: "node-reported", node: said.node, running: said.running, queued: said.queued, warm: said.warm },
          [],
        );
      case "accepted":
        return message({ kind: "copy-accepted", copy: said.copy, node: said.node }, []);
      case "progressed":
        return message({ kind: "copy-progressed", copy: said.copy, node: said.node, tokens: said.tokens }, []);
      case "answered":
        return this.#hearAnswer(said);
      case "failed":
        return this.#fail(said.copy, said.node, said.reason);
    }
  }

  #dispatch(copy: CopyView): void {
    const { chainId, clock, custody, transport } = this.#options;
    const { call, callIndex, tx } = copy.race;
    const input = custody.input(call.inputHash);
    // Silence ends by the engine's own accept timeout; a pre-executor that names inputs must have brought them.
    if (input === undefined) return;
    const attestation = custody.copy(copy.id)?.signer.attestation?.hash;
    transport.dispatch({
      ...(attestation === undefined ? {} : { attestation }),
      copy: copy.id,
      node: copy.node.id,
      nonce: copy.nonce,
      chainId,
      txHash: tx.hash,
      callIndex,
      model: call.model,
      mode: call.mode,
      inputHash: call.inputHash,
      input,
      tokensIn: call.tokensIn,
      tokensOut: call.tokensOut,
      leaseMs: Math.max(1, Math.ceil((copy.leaseUs - clock.nowUs()) / 1000)),
    });
  }

  #hearAnswer({ copy, node, output, proof }: Extract<NodeMessage, { kind: "answered" }>): void {
    const { limits, custody, message, registry } = this.#options;
    if (output.length > limits.maxOutputBytes || !isProof(proof)) return this.#fail(copy, node, "error");
    const bytes = encodeAnswer({ output, proof });
    const hash = sha256Hex(bytes);
    const outputHash = sha256Hex(output);
    // Only bytes that can still matter go into the journal; the event itself is told in any case.
    const blobs = custody.awaits(copy, node, outputHash) ? [{ hash, bytes }] : [];
    const rules = registry.modelRules(custody.copy(copy)?.call.model ?? "");
    const value = rules === undefined ? undefined : outputNumber(rules.output, output);
    const answered = { kind: "copy-answered", copy, node, outputHash, answerHash: hash } as const;
    message(value === undefined ? answered : { ...answered, value }, blobs);
  }

  #fail(copy: number, node: string, reason: FailureReason): void {
    this.#options.message({ kind: "copy-failed", copy, node, reason }, []);
  }

  #verify(copy: CopyView): void {
    const { chainId, clock, custody, registry, verifier, reply, onVerdict } = this.#options;
    const check = {
      chainId,
      copy,
      answer: custody.answer(copy.answerHash),
      registered: this.#registered(copy),
      model: registry.modelRules(copy.race.call.model),
      input: custody.input(copy.race.call.inputHash),
      atMs: Math.floor(clock.nowUs() / 1000),
      isWanted: () => custody.copy(copy.id) !== undefined,
    };
    verifier.check(check, (verdict, waitedUs) => {
      onVerdict(verdict, copy.race.call.mode, waitedUs);
      // The engine has forgotten the copy: it would only count a late event.
      if (verdict.reason === "not-wanted") return;
      reply({ kind: "verdict", copy: copy.id, ...verdict });
    });
  }

  /** Finds out whether a node signed both of the answers that came under its name; what cannot be judged is not signed. */
  #suspect(copy: number): void {
    const { custody, reply } = this.#options;
    const suspicion = custody.suspicion(copy);
    if (suspicion === undefined) return reply({ kind: "suspicion-judged", copy, signed: false });
    const { held, secondAnswerHash } = suspicion;
    this.#judgeSignature(held, held.answerHash, (firstSigned) => {
      if (!firstSigned) return reply({ kind: "suspicion-judged", copy, signed: false });
      this.#judgeSignature(held, secondAnswerHash, (signed) => reply({ kind: "suspicion-judged", copy, signed }));
    });
  }

  #judgeSignature(held: HeldCopy, answerHash: string, done: (signed: boolean) => void): void {
    const { chainId, clock, custody, registry, verifier } = this.#options;
    const { node, nonce, txHash, callIndex, call, signer } = held;
    const answer = custody.answer(answerHash);
    const race = { tx: { hash: txHash }, callIndex, call };
    const outputHash = answer === undefined ? "" : sha256Hex(answer.output);
    const check = {
      chainId,
      copy: { node: { id: node }, nonce, outputHash, race },
      answer,
      registered: this.#registrationOf(node, signer),
      model: registry.modelRules(call.model),
      input: undefined,
      atMs: Math.floor(clock.nowUs() / 1000),
      isWanted: () => true,
      signatureOnly: true,
    } as const;
    verifier.check(check, ({ accepted }) => done(accepted));
  }

  /** How the copy's node was registered when it got the copy. */
  #registered(copy: CopyView): Registration | undefined {
    const signer = this.#options.custody.copy(copy.id)?.signer;
    return signer === undefined ? undefined : this.#registrationOf(copy.node.id, signer);
  }

  #registrationOf(node: string, { key, attestation }: Signer): Registration {
    const { chainId, custody, epochs } = this.#options;
    const document = attestation && custody.document(attestation.hash);
    if (attestation === undefined || document === undefined) return { key, attestation: undefined };
    const nonce = registrationNonce({ chainId, node, epochSeed: epochs.seed(attestation.epoch) });
    return { key, attestation: { document, nonce } };
  }

  #preExecuteNext(): void {
    if (this.#running >= this.#options.limits.maxPreExecutions) return;
    const transaction = this.#waiting.shift();
    if (transaction === undefined) return;
    this.#running += 1;
    void this.#preExecute(transaction).then(({ event, blobs }) => {
      this.#running -= 1;
      this.#options.reply(event, blobs);
      this.#preExecuteNext();
    });
  }

  async #preExecute(transaction: TransactionView): Promise<Told> {
    const { custody, preExecutor, limits, registry } = this.#options;
    const { id: tx, round, hash } = transaction;
    const failed = (reason: string): Told => ({
      event: { kind: "pre-execution-failed", tx, round, reason },
      blobs: [],
    });
    const request = {
      transaction,
      declared: custody.declaredCalls(hash),
      payload: custody.payload(hash),
      outputs: transaction.calls.map(({ result }) => result && custody.answer(result.answerHash)?.output),
    };
    try {
      const found = await withTimeLimit(preExecutor.run(request), limits.preExecutionTimeLimitMs);
      if (!isPreExecution(found)) {
        return failed("the pre-executor's answer is none");
      }
      const { calls = [], inputs = [] } = found.kind === "calls-discovered" ? found : {};
      const blobs = inputs.map((bytes) => ({ hash: sha256Hex(bytes), bytes }));
      const bytes = inputs.reduce((sum, input) => sum + input.length, custody.blobBytes);
      if (inputs.length > 0 && bytes > limits.maxBlobBytes)
        return failed("there is no room for the inputs of its calls");
      const brought = new Map(blobs.map((blob) => [blob.hash, blob.bytes]));
      const refusal = refuseCalls(registry, calls, (input) => brought.get(input) ?? custody.input(input));
      if (refusal !== undefined) return failed(describeCallRefusal(refusal));
      return { event: preExecutionEvent(tx, round, found), blobs };
    } catch (error) {
      // Whatever a pre-executor throws costs its transaction alone.
      return failed(error instanceof Error ? error.message : String(error));
    }
  }
}

/** An event and the bytes that come with it. */
interface Told {
  readonly event: EngineEvent;
  readonly blobs: readonly Blob[];
}

function preExecutionEvent(tx: number, round: number, found: PreExecution): EngineEvent {
  switch (found.kind) {
    case "calls-discovered":
      return { kind: "calls-discovered", tx, round, calls: found.calls };
    case "pre-executed":
      return {
        ...{ kind: "pre-executed", tx, round, readSet: found.readSet },
        ...(found.calls === undefined ? {} : { calls: found.calls }),
      };
    case "failed":
      return { kind: "pre-execution-failed", tx, round, reason: found.reason };
  }
}

function withTimeLimit<A>(work: Promise<A>, limitMs: number): Promise<A> {
  const { promise, resolve, reject } = Promise.withResolvers<A>();
  const timer = setTimeout(() => reject(new Error(`not finished within ${limitMs} ms`)), limitMs);
  work.then(resolve, reject);
  return promise.finally(() => clearTimeout(timer));
}
