import type { SignedHeader } from "../../scheduler/proofs/header.ts";
import type { Receipt } from "../../scheduler/proofs/receipt.ts";
import type { RegistryView } from "../../scheduler/proofs/registry-view.ts";
import { type BlockFinding, verifyBlock } from "../../scheduler/proofs/verify-block.ts";
import {
  type ClaimedBlock,
  decodeBlock,
  type EnvironmentFault,
  environmentFaults,
  type HeaderFields,
} from "./block.ts";
import type { BlockBuild } from "./build.ts";
import type { EvmChain, SealedEvmBlock } from "./chain.ts";
import { type EvmTransaction, parseTransaction } from "./transaction.ts";

/** A block as it goes around: Ethereum's, and beside it the inference section. */
export interface EvmBlock {
  /** Header, transactions, uncles and withdrawals in Ethereum's RLP. */
  readonly raw: Uint8Array;
  /** What the scheduler sealed for it: its signed header, and the receipts in their order. */
  readonly inference: { readonly block: SignedHeader; readonly receipts: readonly { readonly receipt: Receipt }[] };
}

export type EvmFault =
  | BlockFinding["fault"]
  | EnvironmentFault
  | "malformed"
  /** One that cannot be in this block. */
  | "transaction"
  /** A contract asks what the inference section has no result for. */
  | "call-without-result"
  /** A result that no contract asks for. */
  | "unused-result"
  /** Block and inference section do not belong together. */
  | "section"
  | "extra-data"
  | "state-root"
  | "transactions-root"
  | "receipts-root"
  | "logs-bloom"
  | "gas-used"
  /** A field that follows from the rules of the hard fork. */
  | "header-field";

/** What is wrong with a block; `message` is a sentence without its subject. */
export interface EvmFinding {
  readonly fault: EvmFault;
  /** Place of the transaction that is meant, −1 for the block, or for a receipt that names none. */
  readonly transaction: number;
  readonly message: string;
}

export interface EvmVerdict {
  /** Empty when all is well. */
  readonly findings: readonly EvmFinding[];
  /** The block as it was executed here, for `EvmChain.apply`; missing where it could not be. */
  readonly executed?: SealedEvmBlock;
}

/** Four times what a block full of calldata has at 60 million units of gas; what is longer is not read. */
const MAX_BLOCK_BYTES = 16 * 1024 * 1024;

/**
 * Checks a block as a validator does, without any model: executes it on the head with the sealed outputs, compares every field of
 * the header, and checks the proofs. Leaves the chain as it is. No I/O. Never throws for what the block is.
 */
export async function verifyEvmBlock(terms: {
  readonly chain: EvmChain;
  readonly block: EvmBlock;
  readonly registry: RegistryView;
  /** The scheduler's public key as the validator knows it: 64 hexadecimal digits. */
  readonly schedulerKey: string;
}): Promise<EvmVerdict> {
  const { chain, block, registry, schedulerKey } = terms;
  const { raw, inference } = block;
  const claimed = raw.length > MAX_BLOCK_BYTES ? undefined : decodeBlock(raw);
  if (claimed === undefined) return { findings: [aboutBlock("malformed", "is no block")] };
  const proofs = verifyBlock({ ...inference, registry, schedulerKey }).map(
    ({ fault, receipt, message }): EvmFinding => {
      return { fault, transaction: inference.receipts[receipt]?.receipt.position ?? -1, message };
    },
  );
  const replayed = await replayBlock(chain, claimed, inference);
  const { findings, ...rest } = replayed;
  return { findings: [...proofs, ...findings], ...rest };
}

/** All of it but the proofs. */
async function replayBlock(
  chain: EvmChain,
  claimed: ClaimedBlock,
  inference: EvmBlock["inference"],
): Promise<EvmVerdict> {
  const { env, fields } = claimed;
  const { head } = chain;
  if (fields.parentHash !== head.hash || env.number !== head.number + 1)
    return { findings: [aboutBlock("parent", `does not follow block ${head.number} with the hash ${head.hash}`)] };
  const findings = environmentFaults(head, env).map((fault) => aboutBlock(fault, "does not follow from its parent"));
  if (fields.extraData !== inference.block.header.receiptsRoot)
    findings.push(aboutBlock("extra-data", "its extra data is not the root over the results' receipts"));
  const transactions: EvmTransaction[] = [];
  const { chainId, hardfork } = chain.genesis;
  for (const [place, bytes] of claimed.transactions.entries()) {
    const parsed = parseTransaction(bytes, { chainId, hardfork });
    if (!parsed.ok) return { findings: [...findings, about(place, "transaction", parsed.problem.message)] };
    transactions.push(parsed.transaction);
  }
  const build = chain.rehearse(env);
  const run = await runAll(build, transactions, inference);
  findings.push(...run.findings);
  if (!run.finished) return { findings };
  findings.push(...sectionFindings(claimed, { transactions, inference, asking: run.asking }));
  const { world: _, ...executed } = build.seal(Buffer.from(fields.extraData, "hex"));
  const differing = fieldFindings(fields, executed.fields);
  findings.push(...differing);
  if (findings.length === 0 && executed.head.hash !== claimed.hash)
    findings.push(aboutBlock("header-field", "has a field that is not as the rules have it"));
  return { findings, executed };
}

async function runAll(
  build: BlockBuild,
  transactions: readonly EvmTransaction[],
  { receipts }: EvmBlock["inference"],
): Promise<{ findings: EvmFinding[]; finished: boolean; asking: Set<string> }> {
  const findings: EvmFinding[] = [];
  const asking = new Set<string>();
  const results = new Map<string, Map<string, Uint8Array>>();
  for (const { receipt } of receipts) {
    const own = results.get(receipt.txHash) ?? new Map<string, Uint8Array>();
    if (own.has(receipt.digest)) findings.push(aboutBlock("unused-result", "has two results for one question"));
    results.set(receipt.txHash, own.set(receipt.digest, new Uint8Array(Buffer.from(receipt.output, "base64"))));
  }
  for (const [place, tx] of transactions.entries()) {
    const own = results.get(tx.hash) ?? new Map<string, Uint8Array>();
    let addition = await build.add(tx, own, Number.POSITIVE_INFINITY, tx.gasLimit);
    if (addition.kind === "asks" && addition.calls.every(({ known }) => known)) {
      findings.push(about(place, "unused-result", "has a result that it does not ask for"));
      const asked = new Set(addition.calls.map(({ digest }) => digest));
      const used = new Map([...own].filter(([digest]) => asked.has(digest)));
      addition = await build.add(tx, used, Number.POSITIVE_INFINITY, tx.gasLimit);
    }
    if (addition.kind !== "included") {
      findings.push(
        addition.kind === "asks"
          ? about(place, "call-without-result", `asks what has no result, as its call ${addition.calls.length - 1}`)
          : about(place, "transaction", addition.kind === "invalid" ? addition.message : "has no room in the block"),
      );
      return { findings, finished: false, asking };
    }
    if (addition.calls.length > 0) asking.add(tx.hash);
  }
  return { findings, finished: true, asking };
}

/** Whether the inference section tells of this block: of all of its transactions that ask, in its order, and of no others. */
function sectionFindings(
  { env }: ClaimedBlock,
  about: {
    readonly transactions: readonly EvmTransaction[];
    readonly inference: EvmBlock["inference"];
    readonly asking: ReadonlySet<string>;
  },
): EvmFinding[] {
  const { transactions, inference, asking } = about;
  const { header } = inference.block;
  const findings: EvmFinding[] = [];
  if (header.height !== env.number)
    findings.push(aboutBlock("section", `its inference section is that of the height ${header.height}`));
  const told = new Set(header.transactions);
  const inOrder = transactions.flatMap(({ hash }) => (told.has(hash) ? [hash] : []));
  if (inOrder.join() !== header.transactions.join())
    findings.push(aboutBlock("section", "its inference section tells of other transactions, or of another order"));
  for (const hash of asking)
    if (!told.has(hash)) findings.push(aboutBlock("section", `its inference section does not tell of ${hash}`));
  for (const { receipt } of inference.receipts)
    if (!asking.has(receipt.txHash))
      findings.push(aboutBlock("unused-result", `has a result of ${receipt.txHash}, which asks nothing here`));
  return findings;
}

const COMPARED: readonly (readonly [keyof HeaderFields, EvmFault, string])[] = [
  ["transactionsTrie", "transactions-root", "its transactions are other ones than the header says"],
  ["gasUsed", "gas-used", "uses another amount of gas than the header says"],
  ["receiptTrie", "receipts-root", "its transactions end otherwise than the header says"],
  ["logsBloom", "logs-bloom", "its logs are not those that the header's filter has"],
  ["stateRoot", "state-root", "leads to another state than the header says"],
];

function fieldFindings(claimed: HeaderFields, executed: HeaderFields): EvmFinding[] {
  return COMPARED.filter(([field]) => claimed[field] !== executed[field]).map(([, fault, message]) =>
    aboutBlock(fault, message),
  );
}

function aboutBlock(fault: EvmFault, message: string): EvmFinding {
  return about(-1, fault, message);
}

function about(transaction: number, fault: EvmFault, message: string): EvmFinding {
  return { fault, transaction, message };
}
