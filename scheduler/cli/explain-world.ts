import { readFileSync } from "node:fs";
import { DEFAULTS } from "../../policies/defaults.ts";
import { type Distribution, distributionOf } from "../../sim/kernel/distributions.ts";
import { DEFAULT_CONFIG } from "../engine/config.ts";
import { Engine } from "../engine/engine.ts";
import type { EngineEvent } from "../engine/events.ts";
import { type Command, Recorder } from "../engine/recorder.ts";
import type { CallTerms, NodeTerms } from "../shared/vocabulary.ts";
import type { ExplainJob } from "./explain-job.ts";
import { eachBatch } from "./recordings.ts";

/** A production engine that has seen what there is to learn from, and that can be told more. */
export class ExplainWorld {
  readonly engine: Engine;
  /** Every node that it has heard of, by its last terms. */
  readonly nodes: ReadonlyMap<string, NodeTerms>;
  nowUs: number;
  readonly #recorder = new Recorder();

  constructor(engine: Engine, nodes: ReadonlyMap<string, NodeTerms>, nowUs: number) {
    this.engine = engine;
    this.nodes = nodes;
    this.nowUs = nowUs;
  }

  tell(event: EngineEvent): readonly Command[] {
    this.engine.step(this.nowUs, event, this.#recorder);
    return this.#recorder.take();
  }

  /** Another one that stands where this one stands, so that trying something out changes nothing. */
  copy(): ExplainWorld {
    const { engine, nodes, nowUs } = this;
    const snapshot = JSON.parse(JSON.stringify(engine.snapshot())) as ReturnType<Engine["snapshot"]>;
    return new ExplainWorld(Engine.restore(engine.config, snapshot), nodes, nowUs);
  }
}

/** As a live run left it. Rejects with RecordingError. */
export async function worldOfJournal(directory: string): Promise<ExplainWorld> {
  const nodes = new Map<string, NodeTerms>();
  const recorder = new Recorder();
  let engine: Engine | undefined;
  let lastUs = 0;
  await eachBatch(directory, (config, atUs, events) => {
    engine ??= new Engine(config);
    lastUs = atUs;
    for (const event of events) {
      if (event.kind === "node-joined") nodes.set(event.node.id, event.node);
      engine.step(atUs, event, recorder);
      recorder.take();
    }
  });
  return new ExplainWorld(engine ?? new Engine(DEFAULT_CONFIG), nodes, lastUs);
}

/** Copies from which the durations of a law are learned, at its even quantiles: enough for half a percent of its tail. */
const LESSONS = 512;
/** Has no factor in common with them, so that quick and slow ones come mixed, as in life. */
const STRIDE = 197;
const BOND_GWEI = 1_000_000_000_000;
const TEACHER = "teacher";

/** Idle nodes whose copies take as long as a law says, after some hundred of them. */
export function worldOfLaw(job: ExplainJob): ExplainWorld {
  const { service, fleet, model, mode } = job;
  const law = distributionOf(service ?? { kind: "deterministic", ms: 1 }, (file) => readFileSync(file, "utf8"));
  const offers = [{ model, mode, priceGwei: fleet.priceGwei }];
  const { slots } = fleet;
  const nodes = Array.from({ length: fleet.nodes }, (_, index): NodeTerms => {
    const site = { operator: `operator-${index + 1}`, region: `region-${index + 1}`, hardware: "any" };
    return { id: `node-${index + 1}`, key: "", ...site, slots, queueLimit: slots, offers };
  });
  const config = { ...DEFAULT_CONFIG, blockIntervalUs: Math.round(1_000 * job.blockMs) };
  const world = new ExplainWorld(new Engine(config), new Map(nodes.map((node) => [node.id, node])), 0);
  for (const node of nodes) {
    if (mode === "optimistic") world.tell({ kind: "bond-changed", node: node.id, bondGwei: BOND_GWEI });
    world.tell({ kind: "node-joined", node });
    world.tell({ kind: "node-reported", node: node.id, running: 0, queued: 0, warm: [model] });
  }
  teach(world, job, law);
  return world;
}

/** One call after the other, each on a single copy, so that nothing is cut off. */
function teach(world: ExplainWorld, job: ExplainJob, law: Distribution): void {
  const { policy } = world.engine;
  // The only policy of which the engine learns all that there is to learn of durations.
  world.tell({ kind: "policy-changed", policy: { ...DEFAULTS.deadline, maxCopies: 1 } });
  const maxFeeGwei = Math.max(1, job.fleet.priceGwei);
  world.tell({ kind: "deposited", account: TEACHER, amountGwei: LESSONS * maxFeeGwei });
  for (let lesson = 0; lesson < LESSONS; lesson++) {
    const height = lesson + 1;
    const tookUs = Math.max(1, Math.round(1_000 * law.quantile((((lesson * STRIDE) % LESSONS) + 0.5) / LESSONS)));
    world.tell({ kind: "block-opened", height, sealAtUs: world.nowUs + tookUs + 1_000_000_000 });
    const call = callOf({ ...job, maxFeeGwei }, `lesson-${lesson}`);
    const said = raced(world, { sender: TEACHER, nonce: lesson, ttlBlocks: 1, call });
    const copy = said.flatMap((command) => (command.kind === "dispatch" ? command.copy : []))[0];
    if (copy === undefined) continue;
    world.tell({ kind: "copy-accepted", copy: copy.id, node: copy.node.id });
    world.nowUs += tookUs;
    const hashes = { outputHash: call.digest, answerHash: call.digest };
    world.tell({ kind: "copy-answered", copy: copy.id, node: copy.node.id, ...hashes });
    world.tell({ kind: "verdict", copy: copy.id, accepted: true, reason: "valid" });
    world.tell({ kind: "pre-executed", ...roundOf(world, call.digest), readSet: [] });
    world.tell({ kind: "seal-requested", height, maxTransactions: 1, order: "arrival" });
    world.tell({ kind: "block-committed", height });
  }
  world.tell({ kind: "policy-changed", policy });
}

export function callOf(
  job: Pick<ExplainJob, "model" | "mode" | "tokensIn" | "tokensOut" | "maxFeeGwei">,
  hash: string,
): CallTerms {
  const { model, mode, tokensIn, tokensOut, maxFeeGwei } = job;
  const conflict = { kind: "first-valid" } as const;
  return {
    model,
    mode,
    tokensIn,
    tokensOut,
    maxFeeGwei,
    digest: hash,
    inputHash: hash,
    conflict,
    validityBlocks: 1_024,
  };
}

/** Submits one call, whose digest is its transaction's hash, and finds it: what the engine said to both. */
export function raced(
  world: ExplainWorld,
  asked: { readonly sender: string; readonly nonce: number; readonly ttlBlocks: number; readonly call: CallTerms },
): readonly Command[] {
  const { sender, nonce, ttlBlocks, call } = asked;
  const hash = call.digest;
  const calls = [call];
  const terms = { hash, sender, nonce, gasPriceGwei: 1, ttlBlocks, escrowGwei: call.maxFeeGwei, calls };
  const submitted = world.tell({ kind: "submitted", transaction: terms });
  if (world.engine.status(hash)?.state !== "discovering") return submitted;
  return [...submitted, ...world.tell({ kind: "calls-discovered", ...roundOf(world, hash), calls })];
}

function roundOf({ engine }: ExplainWorld, hash: string): { readonly tx: number; readonly round: number } {
  const transaction = engine.status(hash);
  return { tx: transaction?.id ?? -1, round: transaction?.round ?? -1 };
}
