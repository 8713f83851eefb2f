/**
 * The verification service as a whole: processes, messages, queues and credits. How many Ed25519 signatures it checks, beside what
 * `node:crypto` alone does on one core; and how long an honest node's proofs wait for their verdicts while another node sends a
 * thousand worthless ones per second, beside how long they wait when it does not. Quiet and busy spells take turns, so that neighbours
 * take as much from the one as from the other.
 */
import { createPublicKey, verify } from "node:crypto";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { DEFAULT_LIVE_LIMITS } from "../../scheduler/live/limits.ts";
import type { ProofCheck } from "../../scheduler/live/verification.ts";
import { VerifierPool, verifyWorkerUrl } from "../../scheduler/live/verifier-pool.ts";
import type { ProofParts } from "../../scheduler/proofs/judge.ts";
import { encodeStatement } from "../../scheduler/proofs/statement.ts";
import { CHAIN, HonestNode, MODEL, TRUST } from "../support/honest-proofs.ts";
import type { Figure } from "./figure.ts";

const WINDOW_MS = 500;
const WINDOWS = 6;
const TARGET_OF_BARE = 0.8;
const NODES = 32;
/** Checks under way: enough for every process to have a batch while the next is made. */
const UNDER_WAY = 512;

const JUNK_PER_SECOND = 1_000;
const SPELL_MS = 500;
const TARGET_WAIT = 2;
/** Honest proofs per second, which keep a verifier at most a fifth busy, and spells of each kind, so that a 99th percentile is one. */
const HONEST = {
  vanilla: { perSecond: 200, spells: 16 },
  tee: { perSecond: 200, spells: 16 },
  zkml: { perSecond: 8, spells: 32 },
} as const;
type Honest = keyof typeof HONEST;
/** Who waits, and what the other node sends meanwhile. */
const MEETINGS: readonly (readonly [Honest, Honest])[] = [
  ["vanilla", "vanilla"],
  ["vanilla", "zkml"],
  ["tee", "vanilla"],
  ["zkml", "zkml"],
];

export async function verificationFigures(): Promise<Figure[]> {
  const rates = await signatureRates();
  return [
    { name: "verification: Ed25519, node:crypto alone, the other core idle", value: rates.bare, unit: "/s" },
    { name: "verification: Ed25519, node:crypto on two cores, each", value: rates.bareEach, unit: "/s" },
    {
      name: "verification: Ed25519, one process and the loop, against one of those",
      value: rates.one / rates.bareEach,
      unit: "×",
      target: `≥ ${TARGET_OF_BARE}`,
      met: rates.one >= TARGET_OF_BARE * rates.bareEach,
    },
    { name: "verification: Ed25519, one process, against one core alone", value: rates.one / rates.bare, unit: "×" },
    { name: "verification: Ed25519, two processes", value: rates.two, unit: "/s" },
    ...(await waitFigures()),
  ];
}

// ── rates ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** In turns, so that neighbours take as much from the one as from the others; the best window of each. */
async function signatureRates(): Promise<{ bare: number; bareEach: number; one: number; two: number }> {
  const checks = await Promise.all(
    Array.from({ length: NODES }, async (_, index) => {
      const node = new HonestNode(`node-${index}`, index + 1);
      return checkOf(node.id, await node.parts("vanilla"));
    }),
  );
  const bare = await bareVerification();
  const [one, two] = [poolOf(1), poolOf(2)];
  await Promise.all([one.ready, two.ready]);
  const neighbour = new Worker(new URL("./ed25519-thread.ts", import.meta.url));
  await once(neighbour, "message");
  const best = { bare: 0, bareEach: 0, one: 0, two: 0 };
  for (let window = 0; window < WINDOWS; window += 1) {
    best.bare = Math.max(best.bare, perSecond(bare));
    neighbour.postMessage(WINDOW_MS);
    const besideIt = perSecond(bare);
    const [its] = (await once(neighbour, "message")) as [number];
    best.bareEach = Math.max(best.bareEach, (besideIt + its) / 2);
    best.one = Math.max(best.one, await verdictsPerSecond(one, checks));
    best.two = Math.max(best.two, await verdictsPerSecond(two, checks));
  }
  await Promise.all([one.close(), two.close(), neighbour.terminate()]);
  return best;
}

/** Checks one and the same signature with nothing around it. */
export async function bareVerification(): Promise<() => boolean> {
  const { statement, registered, proof } = await new HonestNode("bare", 99).parts("vanilla");
  const raw = Buffer.from(registered.key, "hex");
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]);
  const key = createPublicKey({ key: spki, format: "der", type: "spki" });
  const message = encodeStatement(statement);
  const signature = Buffer.from(proof.signature, "hex");
  return () => verify(null, message, key, signature);
}

export function perSecond(act: () => boolean, forMs: number = WINDOW_MS): number {
  const startedMs = performance.now();
  let count = 0;
  for (; performance.now() < startedMs + forMs; count += 1) if (!act()) throw new Error("it must hold");
  return (count * 1_000) / (performance.now() - startedMs);
}

async function verdictsPerSecond(pool: VerifierPool, checks: readonly ProofCheck[]): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const startedMs = performance.now();
  let [count, underWay, turn] = [0, 0, 0];
  const more = (): void => {
    underWay += 1;
    pool.check(checks[turn++ % checks.length] as ProofCheck, ({ accepted, reason }) => {
      underWay -= 1;
      if (!accepted) return reject(new Error(`an honest signature was rejected: ${reason}`));
      count += 1;
      if (performance.now() < startedMs + WINDOW_MS) more();
      else if (underWay === 0) resolve((count * 1_000) / (performance.now() - startedMs));
    });
  };
  for (let first = 0; first < UNDER_WAY; first += 1) more();
  return promise;
}

// ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────────

async function waitFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [mode, junk] of MEETINGS) {
    const { quiet, beside } = await waits(mode, junk);
    const [quietMs, besideMs] = [p99(quiet, "verdictMs"), p99(beside, "verdictMs")];
    const title = `verification: ${mode} until its verdict, p99`;
    const sent = `beside ${JUNK_PER_SECOND} worthless ${junk}/s`;
    const met = besideMs <= TARGET_WAIT * quietMs;
    figures.push(
      { name: `${title}, quiet`, value: quietMs, unit: "ms" },
      { name: `${title}, ${sent}`, value: besideMs / quietMs, unit: "×", target: `≤ ${TARGET_WAIT}`, met },
      { name: `verification: ${mode} in the queue, p99, quiet`, value: p99(quiet, "queueMs"), unit: "ms" },
      { name: `verification: ${mode} in the queue, p99, ${sent}`, value: p99(beside, "queueMs"), unit: "ms" },
    );
  }
  return figures;
}

/** What one honest proof waited: in all, and of that for a verifier. */
interface Wait {
  readonly verdictMs: number;
  readonly queueMs: number;
}

/** Waits of an honest node's proofs, quiet and beside junk by turns. */
async function waits(mode: Honest, junkMode: Honest): Promise<{ quiet: Wait[]; beside: Wait[] }> {
  const pool = poolOf(2);
  const { zkml } = MODEL;
  if (zkml !== undefined && (mode === "zkml" || junkMode === "zkml")) pool.expect(zkml);
  await pool.ready;
  const honest = new HonestNode("honest", 1);
  const check = checkOf(honest.id, await honest.parts(mode));
  const junk = await worthless(junkMode);
  const { perSecond: rate, spells } = HONEST[mode];
  await spell(pool, { check, perSecond: rate, forMs: 4 * SPELL_MS, junk: undefined });
  const quiet: Wait[] = [];
  const beside: Wait[] = [];
  for (let turn = 0; turn < spells; turn += 1) {
    const terms = { check, perSecond: rate, forMs: SPELL_MS };
    quiet.push(...(await spell(pool, { ...terms, junk: undefined })));
    beside.push(...(await spell(pool, { ...terms, junk })));
  }
  await pool.close();
  return { quiet, beside };
}

/** As dear as a valid one, and nothing in it holds. */
async function worthless(mode: Honest): Promise<ProofCheck> {
  const liar = new HonestNode("liar", 2);
  const parts = await liar.parts(mode);
  const { proof } = parts;
  if (proof.kind !== "zkml") return checkOf(liar.id, { ...parts, proof: { ...proof, signature: "ab".repeat(64) } });
  // A real proof, under a good signature, of another assignment.
  const other = await liar.parts("zkml", 2);
  return checkOf(liar.id, {
    ...parts,
    proof: { ...proof, proof: other.proof.kind === "zkml" ? other.proof.proof : "" },
  });
}

const FOR_EVER: Wait = { verdictMs: Number.POSITIVE_INFINITY, queueMs: Number.POSITIVE_INFINITY };

interface Spell {
  readonly check: ProofCheck;
  readonly perSecond: number;
  readonly forMs: number;
  readonly junk: ProofCheck | undefined;
}

/** Sends honest proofs at random times, and junk evenly. */
async function spell(pool: VerifierPool, { check, perSecond: rate, forMs, junk }: Spell): Promise<Wait[]> {
  const waited: Wait[] = [];
  const startedMs = performance.now();
  let [nextMs, sentJunk, underWay] = [startedMs, 0, 0];
  for (let nowMs = startedMs; nowMs < startedMs + forMs || underWay > 0; nowMs = performance.now()) {
    for (; junk !== undefined && sentJunk < ((nowMs - startedMs) * JUNK_PER_SECOND) / 1_000; sentJunk += 1)
      pool.check(junk, () => undefined);
    for (; nextMs <= nowMs && nextMs < startedMs + forMs; nextMs -= (Math.log(1 - Math.random()) * 1_000) / rate) {
      underWay += 1;
      const sentMs = performance.now();
      pool.check(check, ({ accepted, reason }, waitedUs) => {
        underWay -= 1;
        // On a machine that stands still a queue may fill up: who is turned away has waited for ever.
        if (accepted) waited.push({ verdictMs: performance.now() - sentMs, queueMs: waitedUs / 1_000 });
        else if (reason === "verifier-node-queue-full") waited.push(FOR_EVER);
        else throw new Error(`an honest proof was rejected: ${reason}`);
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return waited;
}

function p99(waited: readonly Wait[], of: keyof Wait): number {
  const sorted = waited.map((wait) => wait[of]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
}

// ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function poolOf(workers: number): VerifierPool {
  const onReplaced = (reason: string, said: string) => {
    throw new Error(`a verifier was replaced: ${reason} ${said}`);
  };
  return new VerifierPool({
    workers,
    limits: DEFAULT_LIVE_LIMITS,
    trust: TRUST,
    workerUrl: verifyWorkerUrl(),
    onReplaced,
  });
}

function checkOf(node: string, { statement, registered, proof, output, input, model, atMs }: ProofParts): ProofCheck {
  const { txHash, callIndex, nonce, outputHash, model: id, mode, inputHash } = statement;
  const race = { tx: { hash: txHash }, callIndex, call: { model: id, mode, inputHash } };
  const copy = { node: { id: node }, nonce, outputHash, race };
  return { chainId: CHAIN, copy, answer: { output, proof }, registered, model, input, atMs, isWanted: () => true };
}
