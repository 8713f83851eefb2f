/**
 * The EVM chain on one core: transactions a second, what a signature and a state root take, and what replaying a block costs a
 * validator beside executing it plainly and checking its proofs. Rounds take turns, and the best of each counts, so that neighbours
 * take as much from the one as from the other.
 */
import { createBlockFromRLP } from "@ethereumjs/block";
import { MerkleStateManager } from "@ethereumjs/statemanager";
import { createVM, runBlock } from "@ethereumjs/vm";
import type { EvmChain, SealedEvmBlock } from "../../mempool/evm/chain.ts";
import { commonOf } from "../../mempool/evm/genesis.ts";
import { verifyEvmBlock } from "../../mempool/evm/replay.ts";
import { type EvmTransaction, parseTransaction } from "../../mempool/evm/transaction.ts";
import type { AccountChange } from "../../mempool/evm/world.ts";
import { World } from "../../mempool/evm/world.ts";
import { verifyBlock } from "../../scheduler/proofs/verify-block.ts";
import {
  asking,
  CHAIN_ID,
  genesisOf,
  NO_RESULTS,
  newChain,
  SENDERS,
  sign,
  solve,
  transaction,
} from "../support/evm-chain.ts";
import { type Part, REGISTRY, SCHEDULER, sealBlock } from "../support/evm-sealer.ts";
import type { Figure } from "./figure.ts";

const BLOCK = 240;
const ROUNDS = 7;
const TARGET_TRANSFERS = 300;
const TARGET_ROOT_MS = 40;
const TARGET_REPLAY = 1.2;
const ACCOUNTS = 20_000;
const CHANGED = 200;
const NO_LIMIT = Number.POSITIVE_INFINITY;

export async function evmFigures(): Promise<Figure[]> {
  const transfers = await perSecond((more) => transaction({ ...more, to: SENDERS[0]?.address ?? "", value: 1n }));
  const calls = await perSecond((more) => {
    return asking("ChainProbe", "write", [BigInt(more.nonce * SENDERS.length + more.from), 7n], more);
  });
  const rootMs = stateRootMs();
  return [
    {
      name: "EVM: plain transfers, one core",
      value: transfers,
      unit: "/s",
      target: `≥ ${TARGET_TRANSFERS}`,
      met: transfers >= TARGET_TRANSFERS,
    },
    { name: "EVM: calls of a contract that stores and logs, one core", value: calls, unit: "/s" },
    { name: "EVM: taking a raw transaction, signature included", value: await parsingMs(), unit: "ms" },
    {
      name: `EVM: state root after ${CHANGED} changes of ${ACCOUNTS} accounts`,
      value: rootMs,
      unit: "ms",
      target: `≤ ${TARGET_ROOT_MS}`,
      met: rootMs <= TARGET_ROOT_MS,
    },
    ...(await benchReplay()),
  ];
}

interface Next {
  readonly from: number;
  readonly nonce: number;
}

async function transactionsOf(make: (more: Next) => Promise<EvmTransaction>, block: number): Promise<EvmTransaction[]> {
  const made: EvmTransaction[] = [];
  for (let i = 0; i < BLOCK; i++) {
    const nonce = block * (BLOCK / SENDERS.length) + Math.floor(i / SENDERS.length);
    made.push(await make({ from: i % SENDERS.length, nonce }));
  }
  return made;
}

async function perSecond(make: (more: Next) => Promise<EvmTransaction>): Promise<number> {
  const chain = await newChain({ gasLimit: 1_000_000_000n });
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const transactions = await transactionsOf(make, round);
    const startedMs = performance.now();
    await buildPlain(chain, transactions);
    best = Math.max(best, (BLOCK * 1_000) / (performance.now() - startedMs));
  }
  return best;
}

async function buildPlain(chain: EvmChain, transactions: readonly EvmTransaction[]): Promise<SealedEvmBlock> {
  return buildWith(
    chain,
    transactions.map((tx) => ({ tx, results: NO_RESULTS })),
  );
}

async function buildWith(chain: EvmChain, parts: readonly Part[]): Promise<SealedEvmBlock> {
  await chain.begin(chain.nextEnvironment(chain.head.timestamp + 1));
  for (const { tx, results } of parts) {
    const added = await chain.add(tx, results, NO_LIMIT);
    if (added.kind !== "included") throw new Error(`a transaction is not included: ${added.kind}`);
  }
  return chain.seal(new Uint8Array(32));
}

async function parsingMs(): Promise<number> {
  const raws = await Promise.all(Array.from({ length: 100 }, (_, nonce) => sign({ nonce, to: SENDERS[1]?.address })));
  return (
    bestMs(ROUNDS, () => {
      for (const raw of raws) parseTransaction(raw, { chainId: CHAIN_ID });
    }) / raws.length
  );
}

function stateRootMs(): number {
  const change = (index: number, balance: bigint): AccountChange => {
    const address = `0x${(index * 7_919).toString(16).padStart(40, "0")}`;
    return { address, gone: false, nonce: 1n, balance, cleared: false, storage: [] };
  };
  const world = World.EMPTY.with(Array.from({ length: ACCOUNTS }, (_, index) => change(index, 1n)));
  // Hashed once, as it is after every block.
  if (world.root.length !== 32) throw new Error("a root has 32 bytes");
  let round = 1n;
  return bestMs(ROUNDS, () => {
    round++;
    const changes = Array.from({ length: CHANGED }, (_, index) => change((index * 97) % ACCOUNTS, round));
    if (world.with(changes).root.length !== 32) throw new Error("a root has 32 bytes");
  });
}

function bestMs(rounds: number, act: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    act();
    best = Math.min(best, performance.now() - startedMs);
  }
  return best;
}

// ── replay ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a validator's replay costs beside executing the same block and checking its proofs; and beside the library's own replay. */
export async function benchReplay(): Promise<Figure[]> {
  const ordinary = await ordinaryParts();
  const inference = await inferenceParts();
  const { sealed, block } = await sealBlock(await newChain(), [...ordinary, ...inference]);
  const plainBlock = (await sealBlock(await newChain(), ordinary)).sealed;
  const all = [...ordinary, ...inference];
  const best = { plain: NO_LIMIT, proofs: NO_LIMIT, replay: NO_LIMIT, library: NO_LIMIT, ordinary: NO_LIMIT };
  const timed = async (what: keyof typeof best, act: () => unknown): Promise<void> => {
    const startedMs = performance.now();
    await act();
    best[what] = Math.min(best[what], performance.now() - startedMs);
  };
  for (let round = 0; round < ROUNDS; round++) {
    const [plain, replaying, ours] = [await newChain(), await newChain(), await newChain()];
    const stock = await stockMachine();
    await timed("plain", async () => {
      const made = await buildWith(
        plain,
        all.map(({ tx, results }) => ({ tx: taken(tx.raw), results })),
      );
      if (made.head.stateRoot !== sealed.head.stateRoot) throw new Error("it came to another state");
    });
    await timed("proofs", () => verifyBlock({ ...block.inference, registry: REGISTRY, schedulerKey: KEY }));
    await timed("replay", () => replayed(replaying, block));
    await timed("library", () => stock(plainBlock.raw));
    await timed("ordinary", () =>
      buildPlain(
        ours,
        ordinary.map(({ tx }) => taken(tx.raw)),
      ),
    );
  }
  const name = `EVM: replay of ${all.length} transactions with ${block.inference.receipts.length} results`;
  const ratio = best.replay / (best.plain + best.proofs);
  return [
    { name, value: best.replay, unit: "ms" },
    {
      name: `${name}, beside executing them and checking the proofs`,
      value: ratio,
      unit: "×",
      target: `≤ ${TARGET_REPLAY}`,
      met: ratio <= TARGET_REPLAY,
    },
    { name: `EVM: executing and sealing these, signatures included`, value: best.plain, unit: "ms" },
    { name: `EVM: checking the proofs of these`, value: best.proofs, unit: "ms" },
    {
      name: `EVM: ${ordinary.length} ordinary ones, beside the library's own run of a block`,
      value: best.ordinary / best.library,
      unit: "×",
    },
  ];
}

const KEY = SCHEDULER.publicKeyHex;

async function replayed(chain: EvmChain, block: Parameters<typeof verifyEvmBlock>[0]["block"]): Promise<void> {
  const { findings } = await verifyEvmBlock({ chain, block, registry: REGISTRY, schedulerKey: KEY });
  if (findings.length > 0) throw new Error(findings.map(({ message }) => message).join("; "));
}

/** Read anew, as a validator does. */
function taken(raw: Uint8Array): EvmTransaction {
  const parsed = parseTransaction(raw, { chainId: CHAIN_ID });
  if (!parsed.ok) throw new Error(parsed.problem.message);
  return parsed.transaction;
}

async function ordinaryParts(): Promise<Part[]> {
  const parts: Part[] = [];
  for (let i = 0; i < 160; i++) {
    const more = { from: i % 8, nonce: Math.floor(i / 8) };
    const tx =
      i % 2 === 0
        ? await transaction({ ...more, to: SENDERS[9]?.address, value: 1n, gas: 21_000n })
        : await asking("ChainProbe", "write", [BigInt(i), 1n], { ...more, gas: 100_000n });
    parts.push({ tx, results: NO_RESULTS });
  }
  return parts;
}

async function inferenceParts(): Promise<Part[]> {
  const chain = await newChain();
  const parts: Part[] = [];
  const input = `0x${"2a".repeat(256)}`;
  for (let nonce = 0; nonce < 20; nonce++) {
    const tx = await asking("TwoStep", "run", [input], { from: 11, nonce });
    parts.push({ tx, results: (await solve(chain, tx)).results });
  }
  return parts;
}

/** The library as it comes, on its own state, for blocks without questions. */
async function stockMachine(): Promise<(raw: Uint8Array) => Promise<void>> {
  const genesis = genesisOf();
  const common = commonOf(genesis);
  const stateManager = new MerkleStateManager({ common });
  const initial = genesis.alloc.map(({ address, balanceWei, code }) => {
    return [address, [balanceWei, code ?? new Uint8Array(0), undefined, code === undefined ? 0n : 1n]] as const;
  });
  await stateManager.generateCanonicalGenesis(Object.fromEntries(initial));
  const vm = await createVM({ common, stateManager });
  return async (raw) => {
    const block = createBlockFromRLP(raw, { common });
    await runBlock(vm, {
      block,
      root: await stateManager.getStateRoot(),
      skipBlockValidation: true,
      skipHeaderValidation: true,
    });
  };
}
