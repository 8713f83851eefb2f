/**
 * The verification service as a whole: processes, messages, queues and credits. How many Ed25519 signatures it checks, beside what
 * `node:crypto` alone does on one core; and how long an honest node's proofs wait while another node sends a thousand worthless ones
 * per second, beside how long they wait when it does not.
 */
import { createPublicKey, verify } from "node:crypto";
import { DEFAULT_LIVE_LIMITS } from "../../scheduler/live/limits.ts";
import type { ProofCheck } from "../../scheduler/live/verification.ts";
import { VerifierPool, verifyWorkerUrl } from "../../scheduler/live/verifier-pool.ts";
import type { ProofParts } from "../../scheduler/proofs/judge.ts";
import { encodeStatement } from "../../scheduler/proofs/statement.ts";
import type { Mode } from "../../scheduler/shared/vocabulary.ts";
import { CHAIN, HonestNode, TRUST } from "../support/honest-proofs.ts";
import type { Figure } from "./figure.ts";

const WINDOW_MS = 500;
const WINDOWS = 6;
const TARGET_OF_BARE = 0.8;
const NODES = 32;
/** Checks under way: enough for every process to have a batch while the next is made. */
const UNDER_WAY = 512;

const JUNK_PER_SECOND = 1_000;
const SPELL_MS = 2_500;
const SPELLS = 4;
const TARGET_WAIT = 2;
/** Of each mode, honest proofs per second: what keeps its verifier at most a fifth busy. */
const HONEST_PER_SECOND: { readonly [M in Mode]?: number } = { vanilla: 200, tee: 200, zkml: 6 };

export async function verificationFigures(): Promise<Figure[]> {
  const rates = await signatureRates();
  return [
    { name: "verification: Ed25519, node:crypto alone on one core", value: rates.bare, unit: "/s" },
    {
      name: "verification: Ed25519, one process, against that",
      value: rates.one / rates.bare,
      unit: "×",
      target: `≥ ${TARGET_OF_BARE}`,
      met: rates.one >= TARGET_OF_BARE * rates.bare,
    },
    { name: "verification: Ed25519, two processes", value: rates.two, unit: "/s" },
    ...(await waitFigures()),
  ];
}

// ── rates ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** In turns, so that neighbours take as much from the one as from the others; the best window of each. */
async function signatureRates(): Promise<{ bare: number; one: number; two: number }> {
  const checks = await Promise.all(
    Array.from({ length: NODES }, async (_, index) => {
      const node = new HonestNode(`node-${index}`, index + 1);
      return checkOf(node.id, await node.parts("vanilla"));
    }),
  );
  const bare = await bareVerification();
  const [one, two] = [poolOf(1), poolOf(2)];
  await Promise.all([one.ready, two.ready]);
  const best = { bare: 0, one: 0, two: 0 };
  for (let window = 0; window < WINDOWS; window += 1) {
    best.bare = Math.max(best.bare, perSecond(bare));
    best.one = Math.max(best.one, await verdictsPerSecond(one, checks));
    best.two = Math.max(best.two, await verdictsPerSecond(two, checks));
  }
  await Promise.all([one.close(), two.close()]);
  return best;
}

async function bareVerification(): Promise<() => boolean> {
  const { statement, registered, proof } = await new HonestNode("bare", 99).parts("vanilla");
  const raw = Buffer.from(registered.key, "hex");
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]);
  const key = createPublicKey({ key: spki, format: "der", type: "spki" });
  const message = encodeStatement(statement);
  const signature = Buffer.from(proof.signature, "hex");
  return () => verify(null, message, key, signature);
}

function perSecond(act: () => boolean): number {
  const startedMs = performance.now();
  let count = 0;
  for (; performance.now() < startedMs + WINDOW_MS; count += 1) if (!act()) throw new Error("it must hold");
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
  for (const mode of ["vanilla", "tee", "zkml"] as const) {
    for (const junk of ["vanilla", "zkml"] as const) {
      const { quietMs, besideMs } = await waits(mode, junk);
      const title = `verification: ${mode} waits, p99`;
      figures.push(
        { name: `${title}, quiet`, value: quietMs, unit: "ms" },
        {
          name: `${title}, beside ${JUNK_PER_SECOND} worthless ${junk} proofs/s`,
          value: besideMs / quietMs,
          unit: "×",
          target: `≤ ${TARGET_WAIT}`,
          met: besideMs <= TARGET_WAIT * quietMs,
        },
      );
    }
  }
  return figures;
}

/** Waits of an honest node's proofs, quiet and beside junk by turns. */
async function waits(mode: Mode, junkMode: Mode): Promise<{ quietMs: number; besideMs: number }> {
  const pool = poolOf(2);
  await pool.ready;
  const honest = new HonestNode("honest", 1);
  const check = checkOf(honest.id, await honest.parts(mode));
  const junk = await worthless(junkMode);
  await spell(pool, { check, perSecond: 20, forMs: 500, junk: undefined });
  const quiet: number[] = [];
  const beside: number[] = [];
  for (let turn = 0; turn < SPELLS; turn += 1) {
    const terms = { check, perSecond: HONEST_PER_SECOND[mode] ?? 1, forMs: SPELL_MS };
    quiet.push(...(await spell(pool, { ...terms, junk: undefined })));
    beside.push(...(await spell(pool, { ...terms, junk })));
  }
  await pool.close();
  return { quietMs: p99(quiet), besideMs: p99(beside) };
}

/** As dear as a valid one, and nothing in it holds. */
async function worthless(mode: Mode): Promise<ProofCheck> {
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

interface Spell {
  readonly check: ProofCheck;
  readonly perSecond: number;
  readonly forMs: number;
  readonly junk: ProofCheck | undefined;
}

/** Sends honest proofs at random times, and junk evenly; gives what each honest one waited, in milliseconds. */
async function spell(pool: VerifierPool, { check, perSecond: rate, forMs, junk }: Spell): Promise<number[]> {
  const waited: number[] = [];
  const startedMs = performance.now();
  let [nextMs, sentJunk, underWay] = [startedMs, 0, 0];
  for (let nowMs = startedMs; nowMs < startedMs + forMs || underWay > 0; nowMs = performance.now()) {
    for (; junk !== undefined && sentJunk < ((nowMs - startedMs) * JUNK_PER_SECOND) / 1_000; sentJunk += 1)
      pool.check(junk, () => undefined);
    for (; nextMs <= nowMs && nextMs < startedMs + forMs; nextMs -= (Math.log(1 - Math.random()) * 1_000) / rate) {
      underWay += 1;
      pool.check(check, ({ accepted, reason }, waitedUs) => {
        underWay -= 1;
        if (!accepted) throw new Error(`an honest proof was rejected: ${reason}`);
        waited.push(waitedUs / 1_000);
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return waited;
}

function p99(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN;
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
