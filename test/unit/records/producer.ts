import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import { DEFAULT_CONFIG } from "../../../scheduler/engine/config.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import type { EngineEvent } from "../../../scheduler/engine/events.ts";
import type { Command } from "../../../scheduler/engine/recorder.ts";
import { Recorder } from "../../../scheduler/engine/recorder.ts";
import type { HeldCopy } from "../../../scheduler/live/custody.ts";
import type { BlockRecord, RecordsPosition } from "../../../scheduler/live/records.ts";
import { ChallengeSampler } from "../../../scheduler/live/challenge-sampler.ts";
import { Records } from "../../../scheduler/live/records.ts";
import { epochSeeds } from "../../../scheduler/live/secret.ts";
import type { Answer } from "../../../scheduler/proofs/answer.ts";
import { answerHash } from "../../../scheduler/proofs/answer.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { deriveSeed, signingKeyFromSeed } from "../../../scheduler/proofs/keys.ts";
import { signStatement } from "../../../scheduler/proofs/statement.ts";
import type { SignedCall } from "../../../scheduler/proofs/transaction.ts";
import { checkTransaction, signTransaction } from "../../../scheduler/proofs/transaction.ts";
import type { CallTerms, NodeTerms } from "../../../scheduler/shared/vocabulary.ts";

export const CHAIN = "pipe-test";
const SECRET = new TextEncoder().encode("records under test");

export function keyOf(label: string) {
  return signingKeyFromSeed(deriveSeed(SECRET, label));
}

export const schedulerKey = keyOf("scheduler");
export const NODES = ["node-a", "node-b", "node-c"];
const TWO_FACED = "node-c";
/** Joins only where results are challenged. */
const LIAR = "node-d";
export const CHALLENGES = { perMillion: 500_000, epochBlocks: 2, revealBlocks: 8 };
export const SENDERS = ["ada", "bob"].map((name) => keyOf(`sender/${name}`));

function nodeTerms(id: string, key = keyOf(id).publicKeyHex): NodeTerms {
  return {
    id,
    key,
    operator: `operator of ${id}`,
    region: id,
    hardware: "cpu",
    slots: 1,
    queueLimit: 0,
    offers: [
      { model: "risk-small", mode: "vanilla", priceGwei: 10 },
      { model: "risk-small", mode: "optimistic", priceGwei: 10 },
    ],
  };
}

/** What the shell of these records keeps, for good. */
export interface Kept {
  readonly answers: ReadonlyMap<string, Answer>;
  readonly copies: ReadonlyMap<number, HeldCopy>;
}

export class Keeper implements Kept {
  readonly answers = new Map<string, Answer>();
  readonly copies = new Map<number, HeldCopy>();

  dispatched({ id, node, nonce, race }: CopyView): void {
    const { model, mode, inputHash } = race.call;
    const asked = { txHash: race.tx.hash, callIndex: race.callIndex, call: { model, mode, inputHash } };
    this.copies.set(id, {
      ...asked,
      node: node.id,
      signer: { key: keyOf(node.id).publicKeyHex },
      nonce,
      answerHash: "",
      outputHash: "",
      contradictions: 0,
    });
  }

  answered(copy: CopyView, output: Uint8Array): { readonly outputHash: string; readonly answerHash: string } {
    const { node, nonce, race } = copy;
    const { model, mode, inputHash } = race.call;
    const asked = { chainId: CHAIN, txHash: race.tx.hash, callIndex: race.callIndex, model, inputHash, mode };
    const outputHash = sha256Hex(output);
    const signature = signStatement({ ...asked, node: node.id, nonce, outputHash }, keyOf(node.id));
    const answer: Answer = { output, proof: { kind: mode === "optimistic" ? mode : "vanilla", signature } };
    const hash = answerHash(answer);
    this.answers.set(hash, answer);
    return { outputHash, answerHash: hash };
  }
}

/** The real engine with the real records; nodes, verifier, pre-executor and chain answer at once. */
export class Producer {
  readonly engine = new Engine({
    ...DEFAULT_CONFIG,
    policy: { kind: "fixed", copies: 2 },
    optimistic: { ...DEFAULT_CONFIG.optimistic, challengeBlocks: 3 },
  });
  readonly #sampler = new ChallengeSampler({
    terms: CHALLENGES,
    seedOf: (epoch) => epochSeeds(SECRET).challenge(epoch),
    say: (event) => this.#pending.push(event),
  });
  readonly blocks: BlockRecord[] = [];
  /** Everything that the records were told, for telling it again. */
  readonly history: (Command | NodeTerms)[] = [];
  readonly kept: Keeper;
  #records: Records;
  #nowUs = 1_000_000;
  readonly #pending: EngineEvent[] = [];
  readonly #nonces = new Map<string, number>();
  readonly #declared = new Map<string, readonly CallTerms[]>();

  constructor(records: Records, kept: Keeper) {
    this.#records = records;
    this.kept = kept;
  }

  /** Steps the event and everything that follows from it at once. */
  tell(event: EngineEvent): void {
    const pending = this.#pending;
    pending.push(event);
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      this.#nowUs += 1_000;
      if (next.kind === "node-joined") this.#note(next.node);
      const recorder = new Recorder();
      this.engine.step(this.#nowUs, next, recorder);
      for (const command of recorder.take()) {
        this.#note(command);
        pending.push(...this.#reactTo(command));
      }
    }
  }

  join(): void {
    for (const id of NODES) this.tell({ kind: "node-joined", node: nodeTerms(id) });
    for (const { publicKeyHex } of SENDERS)
      this.tell({ kind: "deposited", account: publicKeyHex, amountGwei: 1_000_000 });
  }

  /** One more node, of its own operator, which puts up a bond and lies; the others put up theirs. */
  bond(): void {
    this.tell({ kind: "node-joined", node: nodeTerms(LIAR) });
    for (const node of [...NODES, LIAR]) this.tell({ kind: "bond-changed", node, bondGwei: 100_000 });
    for (const { publicKeyHex } of SENDERS)
      this.tell({ kind: "deposited", account: publicKeyHex, amountGwei: 1_000_000 });
  }

  pass(us: number): void {
    this.#nowUs += us;
    this.tell({ kind: "woken" });
  }

  submit(
    sender: (typeof SENDERS)[number],
    inputs: readonly string[],
    asked: Partial<Pick<SignedCall, "mode" | "conflict">> = {},
  ): void {
    const nonce = this.#nonces.get(sender.publicKeyHex) ?? 0;
    this.#nonces.set(sender.publicKeyHex, nonce + 1);
    const calls = inputs.map((input) => ({
      model: "risk-small",
      mode: "vanilla" as const,
      input: Buffer.from(input).toString("base64"),
      tokensIn: 1,
      tokensOut: 1,
      maxFeeGwei: 25,
      conflict: { kind: "first-valid" as const },
      validityBlocks: 8,
      ...asked,
    }));
    const unsigned = { chainId: CHAIN, sender: sender.publicKeyHex, nonce, gasPriceGwei: 1, ttlBlocks: 16, calls };
    const checked = checkTransaction(signTransaction(unsigned, sender), CHAIN);
    if (!checked.ok) throw new Error(checked.problem.advice);
    this.#declared.set(checked.terms.hash, checked.terms.calls ?? []);
    this.tell({ kind: "submitted", transaction: checked.terms });
  }

  open(height: number): void {
    this.tell({ kind: "block-opened", height, sealAtUs: this.#nowUs + 500_000 });
  }

  seal(height: number): void {
    this.tell({ kind: "seal-requested", height, maxTransactions: 100, order: "arrival" });
  }

  #note(item: Command | NodeTerms): void {
    this.history.push(item);
    const block = note(this.#records, item);
    if (block !== undefined) this.blocks.push(block);
  }

  #reactTo(command: Command): EngineEvent[] {
    switch (command.kind) {
      case "preExecute": {
        const { id, hash, round, calls } = command.transaction;
        const declared = this.#declared.get(hash) ?? [];
        const complete = calls.filter(({ result }) => result !== undefined).length === declared.length;
        if (complete) return [{ kind: "pre-executed", tx: id, round, readSet: [] }];
        return [{ kind: "calls-discovered", tx: id, round, calls: declared }];
      }
      case "dispatch": {
        const { id, node, race } = command.copy;
        this.kept.dispatched(command.copy);
        const said = { kind: "copy-answered" as const, copy: id, node: node.id };
        const honest = `${race.call.model} of ${race.call.inputHash}`;
        const text = new TextEncoder().encode(node.id === LIAR ? `not ${honest}` : honest);
        const answers = [{ ...said, ...this.kept.answered(command.copy, text) }];
        // One node gives two different answers to its assignments.
        if (node.id === TWO_FACED)
          answers.push({ ...said, ...this.kept.answered(command.copy, new TextEncoder().encode("otherwise")) });
        return [{ kind: "copy-accepted", copy: id, node: node.id }, ...answers];
      }
      case "sealed":
        if (this.history.filter((item) => item === command).length === 1) this.#sampler.sealed(command.block);
        return [];
      case "suspect":
        return [{ kind: "suspicion-judged", copy: command.suspicion.copy, signed: true }];
      case "verify":
        return [{ kind: "verdict", copy: command.copy.id, accepted: true, reason: "" }];
      default:
        return [];
    }
  }
}

/** Tells the records one thing, as the live shell does. */
export function note(records: Records, item: Command | NodeTerms): BlockRecord | undefined {
  if (!("kind" in item)) {
    records.registered(item, 0);
    return undefined;
  }
  return records.consume(item, { atUs: TOLD_US });
}

/** When everything was told, for the lines that say it: late enough for every registration and answer. */
const TOLD_US = 1_000_000_000;

export function openRecords(
  directory: string | undefined,
  kept: Kept,
  position?: RecordsPosition,
  challenges = CHALLENGES,
): Promise<Records> {
  const custody = {
    answer: (hash: string) => kept.answers.get(hash),
    input: () => undefined,
    document: () => undefined,
    signerOf: (_txHash: string, _callIndex: number, copy: number) => kept.copies.get(copy)?.signer,
    suspicion: (copy: number) => {
      const held = kept.copies.get(copy);
      return held === undefined ? undefined : { copy, held, secondAnswerHash: "" };
    },
  };
  const seeds = epochSeeds(SECRET);
  const given = { directory, chainId: CHAIN, key: schedulerKey, custody, seeds, challenges };
  return Records.open({ ...given, maxReorgDepth: 8, position });
}

/** Four blocks, of which the third is taken back and sealed again; the last is not committed. */
export function liveThrough(producer: Producer): void {
  const [ada, bob] = SENDERS as [(typeof SENDERS)[number], (typeof SENDERS)[number]];
  producer.join();
  producer.open(1);
  producer.submit(ada, ["a", "b"]);
  producer.submit(bob, ["c"]);
  producer.submit(bob, []);
  producer.seal(1);
  producer.seal(1);
  producer.tell({ kind: "block-committed", height: 1 });
  producer.open(2);
  producer.seal(2);
  producer.open(3);
  producer.submit(ada, ["d", "e", "f"]);
  producer.seal(3);
  producer.tell({ kind: "block-committed", height: 2 });
  producer.tell({ kind: "block-committed", height: 3 });
  producer.tell({ kind: "block-reverted", height: 3 });
  producer.open(3);
  producer.submit(bob, ["g"]);
  producer.seal(3);
  producer.tell({ kind: "block-committed", height: 3 });
  producer.open(4);
  producer.submit(ada, ["h"]);
  producer.seal(4);
}

/** Forty blocks of results that can be challenged, some of them lies, some agreed on; the last are not committed. */
export function liveThroughChallenges(producer: Producer): void {
  const [ada, bob] = SENDERS as [(typeof SENDERS)[number], (typeof SENDERS)[number]];
  producer.join();
  producer.bond();
  for (let height = 1; height <= 40; height++) {
    producer.open(height);
    producer.submit(ada, [`ada ${height}`, `again ${height}`], { mode: "optimistic" });
    producer.submit(bob, [`bob ${height}`], { conflict: { kind: "agree", k: 2 } });
    producer.pass(500_000);
    producer.seal(height);
    if (height < 39) producer.tell({ kind: "block-committed", height });
  }
}

/** A directory of records of one such life, closed. */
export async function makeDirectory(
  live: (producer: Producer) => void = liveThrough,
): Promise<{ readonly directory: string; readonly producer: Producer }> {
  const directory = await temporaryDirectory();
  const kept = new Keeper();
  const records = await openRecords(directory, kept);
  const producer = new Producer(records, kept);
  live(producer);
  await records.close();
  return { directory, producer };
}

const made: string[] = [];

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-records-"));
  made.push(directory);
  return directory;
}

/** Removes the directories that the tests of this file made. */
export async function cleanUp(): Promise<void> {
  await Promise.all(made.splice(0).map((directory) => rm(directory, { recursive: true, force: true })));
}

export async function readAll(directory: string, files: readonly string[]): Promise<Map<string, Buffer>> {
  return new Map(await Promise.all(files.map(async (file) => [file, await readFile(join(directory, file))] as const)));
}
