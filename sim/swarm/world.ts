import type { CopyView, Equivocation, SealedBlock, TransactionView } from "../../scheduler/engine/commands.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { Command } from "../../scheduler/engine/recorder.ts";
import type { NodeTerms, Offer } from "../../scheduler/shared/vocabulary.ts";
import type { Draw } from "./draw.ts";
import { drawer } from "./draw.ts";
import type { FaultKind, FaultTally } from "./faults.ts";
import { Network, type Source } from "./network.ts";
import type { NodeDraw, Scenario } from "./scenario.ts";
import type { Program } from "./submissions.ts";
import { neededCalls } from "./submissions.ts";

/** The ways in which a faulty node treats a copy. */
const FAULTS = [
  "silent",
  "refuse",
  "fail",
  "lie",
  "deviate",
  "late",
  "twice",
  "equivocate",
  "framed",
  "prove-again",
  "for-another",
  "accept-only",
  "answer-then-fail",
] as const;
type Conduct = "honest" | (typeof FAULTS)[number];

/** What the tally calls it when a node treats a copy like this. */
const CONDUCT_FAULTS: { readonly [C in Conduct]?: FaultKind } = {
  silent: "node-silent",
  refuse: "node-refuses",
  fail: "node-fails",
  lie: "dishonest-proof",
  deviate: "wrong-output",
  late: "node-late",
  twice: "message-duplicated",
  equivocate: "equivocation",
  framed: "framed-node",
  "prove-again": "proof-made-again",
  "for-another": "stolen-answer",
  "accept-only": "node-silent",
  "answer-then-fail": "answered-then-failed",
};

/** A node that is not itself for a while. */
interface Ailment {
  readonly untilUs: number;
  /** Its work takes so many times as long. */
  readonly factor: number;
}

/**
 * Nodes, verifier and pre-executor around an engine: takes commands, and answers later with events. Small and deterministic:
 * what happens to a copy, a verdict or a run depends on the seed and their names only.
 */
export class World {
  readonly network: Network;
  readonly #scenario: Scenario;
  readonly #draw: Draw;
  readonly #programs: ReadonlyMap<string, Program>;
  readonly #faults: FaultTally;
  readonly #present = new Map<string, NodeDraw>();
  readonly #downUntilUs = new Map<string, number>();
  readonly #stalledUntilUs = new Map<string, number>();
  readonly #grey = new Map<string, Ailment>();
  /** Copies that a node was sent, so that the same one again is known. */
  readonly #sent = new Map<number, CopyView>();
  /** How often each state key has changed. */
  readonly stateVersions: number[] = [0, 0, 0, 0];
  readonly #credulous: boolean;
  #healed = false;
  #asked = 0;

  constructor(scenario: Scenario, programs: ReadonlyMap<string, Program>, faults: FaultTally, credulous: boolean) {
    this.#credulous = credulous;
    this.#scenario = scenario;
    this.#draw = drawer(scenario.seed);
    this.#programs = programs;
    this.#faults = faults;
    this.network = new Network(scenario.network, this.#draw, faults);
  }

  join(id: string, draw: NodeDraw): EngineEvent {
    this.#present.set(id, draw);
    return { kind: "node-joined", node: nodeTerms(id, draw) };
  }

  leave(id: string): EngineEvent {
    this.#present.delete(id);
    return { kind: "node-left", node: id };
  }

  /** The node dies with all that it was at, and registers again when it is back. */
  nodeDies(id: string, nowUs: number, downUs: number): void {
    const draw = this.#present.get(id);
    if (draw === undefined) return;
    this.#faults.count("node-crash");
    this.network.silence(id);
    this.#downUntilUs.set(id, nowUs + downUs);
    const event = this.join(id, draw);
    this.network.send({ atUs: nowUs + downUs, source: "fleet", copy: -1, event });
  }

  nodeStalls(id: string, nowUs: number, forUs: number): void {
    this.#stalledUntilUs.set(id, nowUs + forUs);
    if (this.network.delay(id, forUs) > 0) this.#faults.count("node-stall");
  }

  nodeSlows(id: string, untilUs: number, factor: number): void {
    this.#grey.set(id, { untilUs, factor });
  }

  verifierDies(silent: boolean): void {
    const failed = this.network.failVerdicts((event) =>
      silent ? undefined : { ...event, accepted: false, reason: "verifier-crashed" },
    );
    if (failed > 0) this.#faults.count("verifier-crash");
  }

  copySent(id: number): CopyView | undefined {
    return this.#sent.get(id);
  }

  /** From now on nobody fails. What was sent before goes on as it began. */
  heal(): void {
    this.#healed = true;
    this.network.heal();
    this.#downUntilUs.clear();
    this.#stalledUntilUs.clear();
    this.#grey.clear();
  }

  receive(nowUs: number, command: Command): void {
    switch (command.kind) {
      case "dispatch":
        return this.#compute(nowUs, command.copy);
      case "cancel":
        return this.#cancelled(nowUs, command.copy);
      case "verify":
        return this.#verify(nowUs, command.copy);
      case "suspect":
        return this.#examine(nowUs, command.suspicion);
      case "preExecute":
        return this.#execute(nowUs, command.transaction);
      case "sealed":
        return this.#sample(nowUs, command.block);
      default:
        return;
    }
  }

  #compute(nowUs: number, copy: CopyView): void {
    const { id } = copy.node;
    const node = this.#present.get(id);
    if (node === undefined || nowUs < (this.#downUntilUs.get(id) ?? 0)) return;
    const again = this.#sent.has(copy.id);
    if (!this.network.reaches(id, nowUs, copy.id, again ? nowUs : "first")) return;
    this.#sent.set(copy.id, copy);
    // A receiver knows copies by their ids; its answers to the first dispatch may be lost, so it answers again.
    if (again && this.#draw("again", copy.id) < 0.3) return;
    this.#behave(Math.max(nowUs, this.#stalledUntilUs.get(id) ?? 0), node, copy);
  }

  #behave(nowUs: number, node: NodeDraw, copy: CopyView): void {
    const conduct = this.#conduct(node, copy);
    const fault = CONDUCT_FAULTS[conduct];
    if (fault !== undefined) this.#faults.count(fault);
    const acceptUs = 1_000 + Math.floor(this.#draw("accept", copy.id) * 5_000);
    const spread = 0.4 + 1.2 * this.#draw("service", copy.id);
    const answerUs =
      acceptUs + Math.floor(Math.max(1, node.serviceMs) * 1_000 * spread * this.#slowness(copy.node.id, nowUs));
    const say = (afterUs: number, event: EngineEvent): void => this.#send(nowUs + afterUs, "node", copy.id, event);
    const from = { copy: copy.id, node: copy.node.id };
    const label = node.label;
    const honest = { kind: "copy-answered" as const, ...from, ...answerOf(copy, honestOutput(copy, label)) };
    const forged = { outputHash: `lie:${copy.id}`, answerHash: `forged:${copy.id}` };
    const lie: EngineEvent = { kind: "copy-answered", ...from, ...forged };
    if (conduct === "silent") return;
    if (conduct === "refuse") return say(acceptUs, { kind: "copy-failed", ...from, reason: "overloaded" });
    if (this.#draw("accepts", copy.id) < 0.9) say(acceptUs, { kind: "copy-accepted", ...from });
    if (this.#draw("progresses", copy.id) < 0.3) {
      say((acceptUs + answerUs) >> 1, { kind: "copy-progressed", ...from, tokens: 5 });
    }
    if (conduct === "late") return this.#send(copy.leaseUs + 1 + acceptUs, "node", -1, honest);
    if (conduct === "for-another") return this.#answerForAnother(nowUs + answerUs, copy);
    if (conduct === "fail") return say(answerUs, { kind: "copy-failed", ...from, reason: "error" });
    if (conduct === "lie") return say(answerUs, lie);
    // Signed as it should be, and wrong: nothing but another node's answer can tell.
    if (conduct === "deviate") {
      const wrong = { outputHash: `wrong:${copy.id}`, value: 1_000 * this.#draw("wrong", copy.id) };
      return say(answerUs, { kind: "copy-answered", ...from, ...answerOf(copy, wrong) });
    }
    if (conduct === "accept-only") return;
    say(answerUs, honest);
    if (conduct === "twice") say(answerUs + acceptUs, honest);
    const other = answerOf(copy, { outputHash: `other:${copy.id}` });
    if (conduct === "equivocate") say(answerUs + 400, { kind: "copy-answered", ...from, ...other });
    // Somebody else speaks in its name, and cannot sign.
    if (conduct === "framed") say(answerUs + 400, lie);
    if (conduct === "prove-again") say(answerUs + 400, { ...honest, answerHash: `${honest.answerHash}:again` });
    if (conduct === "answer-then-fail") say(answerUs + 400, { kind: "copy-failed", ...from, reason: "error" });
  }

  /** Copies the answer that another node would give, and says it both as that node's copy and as its own. */
  #answerForAnother(atUs: number, copy: CopyView): void {
    const others = [...this.#sent.values()].filter((other) => other.node.id !== copy.node.id);
    const victim = others[Math.floor(this.#draw("victim", copy.id) * others.length)];
    if (victim === undefined) return;
    const stolen = answerOf(victim, honestOutput(victim, 0));
    this.#send(atUs, "node", -1, { kind: "copy-answered", copy: victim.id, node: copy.node.id, ...stolen });
    this.#send(atUs + 1_000, "node", copy.id, { kind: "copy-answered", copy: copy.id, node: copy.node.id, ...stolen });
  }

  /** How many times as long as usual the node takes now. */
  #slowness(id: string, nowUs: number): number {
    const ailment = this.#grey.get(id);
    if (ailment === undefined || nowUs >= ailment.untilUs) return 1;
    this.#faults.count("node-grey");
    return ailment.factor;
  }

  #conduct(node: NodeDraw, copy: CopyView): Conduct {
    if (!this.#healed && node.liar && copy.race.call.mode === "optimistic") return "deviate";
    if (this.#healed || this.#draw("faulty", copy.id) >= node.faulty) return "honest";
    return FAULTS[Math.floor(this.#draw("fault", copy.id) * FAULTS.length)] ?? "honest";
  }

  /** The secret sample: each sealed result of mode `optimistic` may be challenged. */
  #sample(nowUs: number, { height, transactions }: SealedBlock): void {
    for (const { hash, calls } of transactions) {
      for (const [callIndex, { terms }] of calls.entries()) {
        if (terms.mode !== "optimistic" || this.#draw("sample", hash, callIndex, height) >= 0.7) continue;
        this.#faults.count("challenge");
        this.#send(nowUs + 1_000, "verifier", -1, { kind: "challenged", txHash: hash, callIndex });
      }
    }
  }

  #cancelled(nowUs: number, copy: CopyView): void {
    const fate = this.#draw("cancel", copy.id);
    // Lost on the way, or too late: the node goes on, and its messages come for a copy that is no more.
    if (fate < 0.3 || !this.network.reaches(copy.node.id, nowUs, "cancel", copy.id)) return;
    this.network.withdraw(copy.id);
    if (fate < 0.6) return;
    this.#send(nowUs + 2_000, "node", -1, {
      kind: "copy-failed",
      copy: copy.id,
      node: copy.node.id,
      reason: "cancelled",
    });
  }

  #verify(nowUs: number, copy: CopyView): void {
    const turn = this.#asked++;
    const atUs = nowUs + 500 + Math.floor(this.#draw("verify", copy.id, turn) * 20_000);
    const gaveUp = !this.#healed && this.#draw("give-up", copy.id, turn) < this.#scenario.verifierFaults / 2;
    const proof = proofOf(copy, copy.outputHash);
    const holds = copy.answerHash === proof || copy.answerHash === `${proof}:again`;
    const accepted = this.#credulous || (!gaveUp && holds);
    const reason = accepted ? "valid" : gaveUp ? "verifier-timeout" : "signature";
    const verdict: EngineEvent = { kind: "verdict", copy: copy.id, accepted, reason };
    this.#send(atUs, "verifier", -1, verdict);
    const repeats = !this.#healed && this.#draw("repeat", copy.id, turn) < this.#scenario.verifierFaults / 2;
    if (gaveUp) this.#faults.count("verifier-timeout");
    if (repeats) this.#faults.count("verdict-repeated");
    if (repeats) this.#send(atUs + 3_000, "verifier", -1, verdict);
  }

  /** Whether the copy's node signed both answers. */
  #examine(nowUs: number, { copy: id, firstAnswerHash, secondAnswerHash }: Equivocation): void {
    const copy = this.#sent.get(id);
    const begin = copy === undefined ? undefined : proofOf(copy, "");
    const isSigned = (hash: string) => begin !== undefined && hash.startsWith(begin);
    const signed = isSigned(firstAnswerHash) && isSigned(secondAnswerHash);
    this.#send(nowUs + 1_000, "verifier", -1, { kind: "suspicion-judged", copy: id, signed });
  }

  /** A run sees the state as it is when the run begins. */
  #execute(nowUs: number, view: TransactionView): void {
    const program = this.#programs.get(view.hash);
    if (program === undefined) return;
    const turn = this.#asked++;
    const atUs = nowUs + 1_000 + Math.floor(this.#draw("execute", view.hash, turn) * 30_000);
    const on = { tx: view.id, round: view.round };
    const faults = this.#healed ? 0 : this.#scenario.executorFaults;
    if (this.#draw("execution-fails", view.hash, turn) < faults) {
      this.#faults.count("execution-failed");
      return this.#send(atUs, "executor", -1, { kind: "pre-execution-failed", ...on, reason: "out of gas" });
    }
    const { calls, complete } = neededCalls(program, view, this.stateVersions);
    const event: EngineEvent = complete
      ? { kind: "pre-executed", ...on, readSet: program.reads.map((key) => `key${key}`) }
      : { kind: "calls-discovered", ...on, calls };
    this.#send(atUs, "executor", -1, event);
    if (this.#draw("execution-repeats", view.hash, turn) < faults) this.#send(atUs + 10_000, "executor", -1, event);
  }

  #send(atUs: number, source: Source, copy: number, event: EngineEvent): void {
    this.network.send({ atUs, source, copy, event });
  }
}

/** What an honest node with this label puts out. Without anybody to compare it with, honest nodes may differ as they like. */
function honestOutput(copy: CopyView, label: number): { outputHash: string; value?: number } {
  const { call } = copy.race;
  if (call.conflict.kind === "median") return { outputHash: `near:${call.digest}:${copy.node.id}`, value: copy.id % 2 };
  const comparable = call.conflict.kind === "agree" || call.mode === "optimistic";
  return { outputHash: `out:${call.digest}:${comparable ? label : copy.node.id}` };
}

function answerOf(copy: CopyView, output: { outputHash: string; value?: number }) {
  return { ...output, answerHash: proofOf(copy, output.outputHash) };
}

/** The answer to this assignment with this output that the verifier accepts; it may be proved again. */
function proofOf(copy: CopyView, outputHash: string): string {
  return `proof:${copy.id}:${copy.nonce}:${copy.node.id}:${outputHash}`;
}

function nodeTerms(id: string, draw: NodeDraw): NodeTerms {
  const offers: Offer[] = [];
  const equivalence = `label${draw.label}`;
  for (let index = 0; index < draw.models; index++) {
    const model = `m${index}`;
    offers.push({ model, mode: "vanilla", priceGwei: draw.priceGwei, equivalence });
    if (draw.tee) offers.push({ model, mode: "tee", priceGwei: draw.priceGwei + 3, equivalence });
    if (draw.bondGwei > 0) offers.push({ model, mode: "optimistic", priceGwei: draw.priceGwei + 1, equivalence });
  }
  return {
    id,
    key: `key-of-${id}`,
    operator: `operator${draw.operator}`,
    region: `region${draw.region}`,
    hardware: "gpu",
    slots: draw.slots,
    queueLimit: draw.queueLimit,
    offers,
  };
}
