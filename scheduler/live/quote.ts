import type { CopyTimes, ModeOutlook } from "../engine/outlook.ts";
import type { Engine, SealEstimate } from "../engine/engine.ts";
import { type CallRefusal, describeCallRefusal } from "../registry/call-check.ts";
import { setupOf } from "../proofs/zkml/setup.ts";
import type { Registry } from "../registry/registry.ts";
import { type CallTerms, type ConflictRule, type Mode, MODES, quorum } from "../shared/vocabulary.ts";

/** A call of which somebody wants to know what it would cost, take, and guarantee. */
export interface QuoteQuestion {
  readonly model: string;
  readonly tokensIn: number;
  readonly tokensOut: number;
  /** First valid when it is left out. */
  readonly conflict?: ConflictRule;
  /** Blocks, the open one first, that it may wait. */
  readonly ttlBlocks: number;
}

/** The same question in every mode that the model is offered in, the cheapest guarantee first. */
export interface Quote {
  readonly model: string;
  readonly conflict: ConflictRule;
  /** The block that is being built. */
  readonly height: number;
  readonly modes: readonly ModeQuote[];
}

export interface ModeQuote {
  readonly mode: Mode;
  /** Whether a call would be raced now. */
  readonly available: boolean;
  /** Why not, and what to do about it. */
  readonly advice: string | undefined;
  /** What a valid answer is worth. */
  readonly guarantee: string;
  /** Why it may be worth less here: an emulated enclave, the setup of a verification key. */
  readonly caveat: string | undefined;
  readonly nodes: number;
  readonly operators: number;
  /** Jobs that wait for a node. */
  readonly waiting: number;
  readonly maxFeeGwei: ModeOutlook["maxFeeGwei"];
  readonly latency: QuotedLatency;
  /** P(sealing by block b) for each block of the time to live. */
  readonly seal: readonly SealEstimate[];
  /** The first block by which it is sealed with this probability; `undefined` when none is within the time to live. */
  readonly sealedBy: { readonly p90: number | undefined; readonly p99: number | undefined };
  /** Blocks after its own in which a result can still be overturned. */
  readonly trustGapBlocks: number;
}

/** Of one copy, from dispatch to answer. `prior`: nothing is known yet, and the scheduler takes copies for fast enough. */
export type QuotedLatency =
  | {
      readonly source: "learned";
      readonly observations: number;
      readonly p50Ms: number | undefined;
      /** `undefined` when too many copies were cancelled to say. */
      readonly p95Ms: number | undefined;
    }
  | { readonly source: "prior" };

/** Longest time to live that a quote looks at, in blocks; what lies beyond it seals no likelier. */
const MAX_QUOTED_BLOCKS = 1_024;

/** Throws a RangeError for a question that makes no sense. */
export function quoteOf(engine: Engine, registry: Registry, question: QuoteQuestion, nowUs: number): Quote {
  const { model, ttlBlocks, conflict = { kind: "first-valid" } } = question;
  if (!Number.isSafeInteger(ttlBlocks) || ttlBlocks < 1 || ttlBlocks > MAX_QUOTED_BLOCKS) {
    throw new RangeError(`ttlBlocks must be a whole number from 1 to ${MAX_QUOTED_BLOCKS}, not ${ttlBlocks}`);
  }
  const outlooks = new Map(engine.outlook(model, quorum(conflict)).map((outlook) => [outlook.mode, outlook]));
  const allowed = registry.models.get(model)?.modes ?? [];
  const modes = MODES.filter((mode) => allowed.includes(mode)).map((mode): ModeQuote => {
    const call = { callIndex: 0, model, mode, conflict, inputBytes: 0, ...pickTokens(question) };
    const outlook = outlooks.get(mode);
    const seal = engine.estimate({ ...NOBODYS, ttlBlocks, calls: [{ ...NO_CALL, ...call }] }, nowUs);
    const advice = obstacle(outlook, conflict, registry.refuse(call));
    const estimates = advice === undefined ? seal : seal.map((one) => ({ ...one, probability: 0 }));
    return {
      mode,
      available: advice === undefined,
      advice,
      guarantee: GUARANTEES[mode],
      caveat: caveatOf(model, mode, registry),
      nodes: outlook?.nodes ?? 0,
      operators: outlook?.operators ?? 0,
      waiting: outlook?.waiting ?? 0,
      maxFeeGwei: outlook?.maxFeeGwei,
      latency: latencyOf(outlook?.copyTimes),
      seal: estimates,
      sealedBy: { p90: firstBlock(estimates, 0.9), p99: firstBlock(estimates, 0.99) },
      trustGapBlocks: outlook?.trustGapBlocks ?? 0,
    };
  });
  return { model, conflict, height: engine.sizes.height, modes };
}

/** A transaction that is asked about, not sent. */
const NOBODYS = { hash: "", sender: "", nonce: 0, gasPriceGwei: 0, escrowGwei: 0 };
const NO_CALL: Pick<CallTerms, "digest" | "inputHash" | "maxFeeGwei" | "validityBlocks"> = {
  digest: "",
  inputHash: "",
  maxFeeGwei: 0,
  validityBlocks: 0,
};

const GUARANTEES: Readonly<Record<Mode, string>> = {
  vanilla: "The node that answered signed it: if it is wrong, it is known whose word it was.",
  optimistic: "Signed against a bond: a secret sample is asked again, and who lied there forfeits.",
  tee: "A measured enclave signed it: the registered build ran, unless the enclave was broken.",
  zkml: "Proved: this model gives this output for this input, whoever computed it.",
};

function caveatOf(model: string, mode: Mode, { models, roots }: Registry): string | undefined {
  if (mode === "tee" && roots.some(({ emulator }) => emulator)) {
    return "Enclaves may be emulated here, which protects nothing: for development only.";
  }
  const zkml = mode === "zkml" ? models.get(model)?.rules.zkml : undefined;
  return zkml && `Its verification key comes from this setup: ${setupOf(zkml)}`;
}

/** Why a call would not be raced, and what to do about it. */
function obstacle(
  outlook: ModeOutlook | undefined,
  conflict: ConflictRule,
  refusal: CallRefusal | undefined,
): string | undefined {
  if (refusal !== undefined) return describeCallRefusal(refusal);
  if (outlook === undefined || outlook.nodes === 0) {
    return outlook?.mode === "optimistic"
      ? "No node that is here has a free bond for it. Ask in another mode, or wait for bonds."
      : "No node offers it now. Ask in another mode, or wait for one to join.";
  }
  const needed = quorum(conflict);
  if (outlook.comparableOperators >= needed) return undefined;
  return `${needed} operators must answer, and only ${outlook.comparableOperators} can be compared. Ask fewer.`;
}

function latencyOf(times: CopyTimes | undefined): QuotedLatency {
  if (times === undefined) return { source: "prior" };
  const { weight, p50Us, p95Us } = times;
  return { source: "learned", observations: weight, p50Ms: milliseconds(p50Us), p95Ms: milliseconds(p95Us) };
}

function milliseconds(us: number | undefined): number | undefined {
  return us === undefined ? undefined : Math.round(us) / 1_000;
}

function firstBlock(seal: readonly SealEstimate[], probability: number): number | undefined {
  return seal.find((estimate) => estimate.probability >= probability)?.height;
}

function pickTokens({ tokensIn, tokensOut }: QuoteQuestion): { readonly tokensIn: number; readonly tokensOut: number } {
  return { tokensIn, tokensOut };
}
