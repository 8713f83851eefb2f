import { Effect, Fiber, Layer, Logger, Stream } from "effect";
import { PrometheusMetrics } from "effect/observability";
import { afterEach, expect, test } from "vitest";
import { DEFAULT_CONFIG } from "../../scheduler/engine/config.ts";
import {
  createInProcessTransport,
  createPipe,
  defaultFleet,
  type Pipe,
  startBlockProducer,
} from "../../scheduler/index.ts";
import { memoryStore } from "../../scheduler/live/journal-store.ts";
import * as layers from "../../scheduler/live/layers.ts";
import { DEFAULT_LIVE_LIMITS } from "../../scheduler/live/limits.ts";
import { declaredCalls, type PreExecutor } from "../../scheduler/live/pre-executor.ts";
import type { NodeMessage } from "../../scheduler/live/transport.ts";
import { VerifierPool } from "../../scheduler/live/verifier-pool.ts";
import { DEFAULT_PROOF_SETTINGS } from "../../scheduler/live/proof-settings.ts";
import { ECHO_REGISTRY } from "./support/registries.ts";
import { answerTo, honest, type Script, ScriptedNodes, scriptedNode, silent } from "./support/scripted-nodes.ts";
import { CHAIN, untilState, User } from "./support/users.ts";

let pipe: Pipe | undefined;
afterEach(async () => {
  await pipe?.close();
  pipe = undefined;
});

async function open(scripts: readonly Script[], preExecutor: PreExecutor = declaredCalls) {
  const nodes = new ScriptedNodes(scripts.map((script, index) => scriptedNode(index, script)));
  pipe = await createPipe({
    directory: undefined,
    chainId: CHAIN,
    fleet: { transport: nodes },
    registry: ECHO_REGISTRY,
    policy: { kind: "fixed", copies: scripts.length },
    logger: "silent",
    preExecutor,
  });
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 2_000 });
  const user = new User(1);
  await pipe.deposit({ account: user.id, amountGwei: 1_000_000 });
  return { pipe, nodes, user };
}

async function winnerOf(target: Pipe, user: User): Promise<string | undefined> {
  const outcome = await target.submit(user.sign());
  if (!outcome.ok) throw new Error(outcome.problem.advice);
  await untilState(target, outcome.hash, "ready");
  return (await target.status(outcome.hash))?.calls[0]?.result?.node;
}

const late: Script = (assignment, node, say) => setTimeout(() => honest(assignment, node, say), 150);

test("P3: answers that are signed for something else, by somebody else, or stolen, win nothing", async () => {
  const stranger = scriptedNode(9, silent).key;
  const lies: Record<string, Script> = {
    "another nonce": (a, node, say) => say(answerTo(node, a, { nonce: a.nonce + 1 })),
    "another transaction": (a, node, say) => say(answerTo(node, a, { txHash: "12".repeat(32) })),
    "another chain": (a, node, say) => say(answerTo(node, a, { chainId: "other" })),
    "another node's name": (a, node, say) => say(answerTo(node, a, { node: "node-1" })),
    "another key": (a, node, say) => say(answerTo({ ...node, key: stranger }, a)),
    "another output": (a, node, say) => {
      const said = answerTo(node, a);
      if (said.kind === "answered") say({ ...said, output: Buffer.from("another") });
    },
  };
  for (const [name, lie] of Object.entries(lies)) {
    const { pipe: opened, user } = await open([lie, late]);
    expect(await winnerOf(opened, user), name).toBe("node-1");
    expect((await opened.statistics()).counters.proofsRejected, name).toBeGreaterThan(0);
    await opened.close();
  }
});

test("P3: a node cannot answer, fail or accept in another's name", async () => {
  const thief: Script = (a, _node, say) => {
    say({ kind: "failed", node: "node-1", copy: a.copy, reason: "error" });
    const rival = a.copy === 0 ? 1 : 0;
    const stolen = answerTo(scriptedNode(0, silent), { ...a, copy: rival });
    say(stolen);
  };
  const { pipe: opened, user } = await open([thief, late]);
  expect(await winnerOf(opened, user)).toBe("node-1");
  expect((await opened.statistics()).counters.foreignEvents).toBeGreaterThan(0);
});

test("what is no message is not listened to, and answers that are too large fail their copy", async () => {
  const babbler: Script = (a, node, say) => {
    const id = node.terms.id;
    const nonsense = [
      { kind: "progressed", node: id, copy: a.copy, tokens: Number.NaN },
      { kind: "accepted", node: id, copy: 1.5 },
      { kind: "failed", node: id, copy: a.copy, reason: "because" },
      { kind: "reported", node: id, running: Number.POSITIVE_INFINITY, queued: 0, warm: [] },
      { kind: "joined", terms: { ...node.terms, slots: -1 } },
      { kind: "shouted", node: id },
      { kind: "answered", node: id, copy: a.copy, output: "text", proof: { kind: "vanilla", signature: "" } },
    ];
    for (const message of nonsense) say(message as unknown as NodeMessage);
    say(answerTo(node, a, {}, new Uint8Array(DEFAULT_LIVE_LIMITS.maxOutputBytes + 1)));
  };
  const { pipe: opened, user } = await open([babbler, late]);
  expect(await winnerOf(opened, user)).toBe("node-1");
  expect((await opened.statistics()).counters.proofsRejected).toBe(0);
});

test("delivery at least once, and a winner's rivals are told to stop (P9)", async () => {
  const twice: Script = (a, node, say) => {
    honest(a, node, say);
    honest(a, node, say);
  };
  const { pipe: opened, nodes, user } = await open([twice, silent]);
  expect(await winnerOf(opened, user)).toBe("node-0");
  expect(nodes.cancelled).toHaveLength(1);
  expect((await opened.statistics()).counters.racesDecided).toBe(1);
});

test("two answers to one assignment are evidence", async () => {
  const fork: Script = (a, node, say) => {
    say(answerTo(node, a, {}, Buffer.from("heads")));
    say(answerTo(node, a, {}, Buffer.from("tails")));
  };
  const { pipe: opened, user } = await open([fork, silent]);
  const events = opened.events();
  await winnerOf(opened, user);
  for await (const event of events) {
    if (event.kind !== "evidence") continue;
    expect(event.evidence.node).toBe("node-0");
    break;
  }
});

test("a pre-executor that throws, hangs or talks nonsense costs its transaction alone", async () => {
  const moods: Record<string, PreExecutor["run"]> = {
    throws: () => Promise.reject(new Error("no state")),
    "talks nonsense": async ({ declared = [] }) => ({
      kind: "calls-discovered",
      calls: declared.map((call) => ({ ...call, maxFeeGwei: Number.NaN })),
    }),
  };
  for (const [mood, run] of Object.entries(moods)) {
    let calls = 0;
    const moody: PreExecutor = { run: (request) => (calls++ === 0 ? run(request) : declaredCalls.run(request)) };
    const { pipe: opened, user } = await open([honest, honest], moody);
    const events = opened.events();
    const first = await opened.submit(user.sign());
    expect(first.ok, mood).toBe(true);
    for await (const event of events) {
      if (event.kind !== "transaction" || event.state === "discovering") continue;
      expect(event, mood).toMatchObject({ state: "refunded", refundReason: "pre-execution-failed" });
      break;
    }
    expect(await winnerOf(opened, new User(1)), mood).toBeDefined();
    await opened.close();
  }
});

test("dependent calls are found round by round", async () => {
  const dependent: PreExecutor = {
    run: async ({ transaction, declared = [] }) => {
      const known = transaction.calls.filter(({ result }) => result !== undefined).length;
      if (known === declared.length) return { kind: "pre-executed", readSet: ["balance"] };
      return { kind: "calls-discovered", calls: declared.slice(0, known + 1) };
    },
  };
  const { pipe: opened, user } = await open([honest, honest], dependent);
  const outcome = await opened.submit(user.sign({}, 3));
  if (!outcome.ok) throw new Error(outcome.problem.advice);
  await untilState(opened, outcome.hash, "ready");
  const first = await opened.status(outcome.hash);
  expect(first?.calls).toHaveLength(3);
  expect(first?.round).toBe(4);
  await opened.stateChanged(["something else"]);
  expect((await opened.status(outcome.hash))?.round).toBe(4);
  await opened.stateChanged(["balance"]);
  await untilState(opened, outcome.hash, "ready");
  expect((await opened.status(outcome.hash))?.round).toBe(5);
});

// ── the layers, put together otherwise ───────────────────────────────────────────────────────────────────────────────

const settings = layers.Settings.layer({
  chainId: CHAIN,
  program: "test",
  engine: DEFAULT_CONFIG,
  policy: undefined,
  limits: { ...DEFAULT_LIVE_LIMITS, proofTimeLimitMs: 200 },
  proofs: DEFAULT_PROOF_SETTINGS,
  retainAll: true,
});

function serviceWith(
  parts: {
    readonly journal?: Layer.Layer<layers.JournalService>;
    readonly verifier?: Layer.Layer<layers.VerifierService, never, layers.Settings>;
  },
  nodes: ScriptedNodes,
) {
  return layers.PipeService.layer.pipe(
    Layer.provide(parts.verifier ?? layers.VerifierService.layer),
    Layer.provide(layers.StateService.layer),
    Layer.provide(parts.journal ?? layers.JournalService.layer),
    Layer.provide(layers.TransportService.given(nodes)),
    Layer.provide(layers.RegistryService.given(ECHO_REGISTRY)),
    Layer.provide(layers.PreExecutorService.layer(declaredCalls)),
    Layer.provide(layers.Directory.memory),
    Layer.provide(settings),
    Layer.provide(Logger.layer([])),
  );
}

test("a journal that cannot be written ends the service: nobody is told what is not durable", async () => {
  let full = false;
  const store = {
    ...memoryStore(DEFAULT_CONFIG),
    append: async () => (full ? Promise.reject(new Error("disk full")) : undefined),
  };
  const nodes = new ScriptedNodes([scriptedNode(0, honest), scriptedNode(1, honest)]);
  const user = new User(1);
  const program = Effect.gen(function* () {
    const service = yield* layers.PipeService;
    yield* service.deposit(user.id, 1_000);
    full = true;
    const error = yield* Effect.flip(service.submit(user.sign()));
    expect(error).toBeInstanceOf(layers.PipeFailed);
    expect(error.message).toContain("disk full");
    expect(nodes.dispatched).toEqual([]);
    expect((yield* Effect.promise(() => service.failed)).message).toContain("disk full");
    expect(yield* Effect.flip(service.statistics())).toBeInstanceOf(layers.PipeFailed);
  });
  const journal = Layer.succeed(layers.JournalService, store);
  await Effect.runPromise(program.pipe(Effect.provide(serviceWith({ journal }, nodes)), Effect.scoped));
  expect(nodes.closed).toBe(true);
});

test("P2: a verifier that hangs rejects that proof, and the job goes on", async () => {
  const hang = "aa".repeat(64);
  const hanging: Script = (a, node, say) => {
    const said = answerTo(node, a);
    if (said.kind === "answered") say({ ...said, proof: { kind: "vanilla", signature: hang } });
  };
  const workerUrl = new URL("./workers/troubled-worker.ts", import.meta.url);
  const limits = { ...DEFAULT_LIVE_LIMITS, proofTimeLimitMs: 200 };
  const pool = new VerifierPool({
    workers: 1,
    limits,
    trust: { roots: [], allowEmulator: false },
    workerUrl,
    onReplaced: () => undefined,
  });
  const nodes = new ScriptedNodes([scriptedNode(0, hanging), scriptedNode(1, late)]);
  const user = new User(1);
  const program = Effect.gen(function* () {
    const service = yield* layers.PipeService;
    const decided = yield* Effect.forkChild(
      service.events.pipe(
        Stream.filter(({ kind }) => kind === "decided"),
        Stream.runHead,
      ),
      { startImmediately: true },
    );
    yield* service.setPolicy({ kind: "fixed", copies: 2 });
    yield* service.deposit(user.id, 1_000);
    yield* service.submit(user.sign());
    const event = yield* Fiber.join(decided);
    const rejected = { node: "node-0", end: "rejected", speculative: false };
    expect(event).toMatchObject({ value: { result: { node: "node-1", rivals: expect.arrayContaining([rejected]) } } });
    const metrics = yield* PrometheusMetrics.format();
    expect(metrics).toMatch(/pipe_verdicts_total\{[^}]*reason="verifier-timeout"[^}]*\} 1/);
    expect(metrics).toMatch(/pipe_jobs_decided_total\{[^}]*lane="fast"[^}]*\}/);
  });
  const verifier = Layer.succeed(layers.VerifierService, pool);
  await Effect.runPromise(program.pipe(Effect.provide(serviceWith({ verifier }, nodes)), Effect.scoped));
  await pool.close();
});

test("real nodes, real models, real blocks; a node that dies costs a copy, not the job", {
  timeout: 30_000,
}, async () => {
  const fleet = defaultFleet({ count: 4, seedHex: "00".repeat(32), latency: "modelled", faults: "none" });
  const nodes = fleet.map((node) => ({ ...node, offers: node.offers.filter(({ mode }) => mode === "vanilla") }));
  const transport = createInProcessTransport({ nodes });
  const policy = { kind: "fixed", copies: 1 } as const;
  pipe = await createPipe({
    directory: undefined,
    chainId: CHAIN,
    fleet: { transport },
    registry: ECHO_REGISTRY,
    policy,
    logger: "silent",
  });
  const opened = pipe;
  const user = new User(3);
  await opened.deposit({ account: user.id, amountGwei: 10_000_000 });
  const sealed = new Map<string, number>();
  const producer = startBlockProducer({
    pipe: opened,
    intervalMs: 200,
    firstHeight: 1,
    maxTransactions: 100,
    order: "gas",
    confirmations: 2,
    onSealed: ({ header }) => {
      for (const hash of header.transactions) sealed.set(hash, header.height);
    },
    onTrouble: (error) => {
      throw error;
    },
  });
  const hashes: string[] = [];
  for (let nonce = 0; nonce < 12; nonce++) {
    const [template] = user.sign({ nonce }).calls;
    if (template === undefined) throw new Error("a call is signed");
    const calls = [{ ...template, model: "risk-small", tokensOut: 40, maxFeeGwei: 5_000 }];
    const outcome = await opened.submit(user.sign({ nonce, calls }));
    if (!outcome.ok) throw new Error(outcome.problem.advice);
    hashes.push(outcome.hash);
  }
  const launched = (await opened.statistics()).counters.copiesLaunched;
  await transport.crash("birch-1");
  const untilMs = performance.now() + 10_000;
  while (sealed.size < hashes.length && performance.now() < untilMs) await new Promise((r) => setTimeout(r, 20));
  const next = await producer.stop();
  expect([...sealed.keys()].sort()).toEqual([...hashes].sort());
  expect((await opened.statistics()).counters.copiesLaunched).toBeGreaterThan(launched);
  const block = await opened.receipts(sealed.get(hashes[0] ?? "") ?? -1);
  expect(Buffer.from(block?.receipts[0]?.receipt.output ?? "", "base64")).toHaveLength(4);
  await opened.committed(next);
  expect((await opened.statistics()).ledger.heldGwei).toBe(0);
  expect(opened.latency("seal").count).toBe(12);
  expect(opened.latency("journal").maxMs).toBeGreaterThan(0);
});
