import type { EvmBackend, Outcome, StatePoint } from "./backend.ts";
import type { ChainIndex } from "./chain-index.ts";
import type { IndexedBlock } from "./indexed.ts";
import type { RpcLimits } from "./limits.ts";
import { failed, type MethodResult } from "./method.ts";
import type { BlockReference } from "./parameters.ts";
import { CODES, type RpcError } from "./problems.ts";

/** What the methods share. */
export interface RpcFace {
  readonly backend: EvmBackend;
  readonly index: ChainIndex;
  readonly limits: RpcLimits;
  /** Every question to the chain that may take time goes through it. */
  ask<T>(question: () => Promise<Outcome<T>>): Promise<Outcome<T>>;
  /** The same for transactions that are sent, which wait for their first run and must not keep all others from asking. */
  send<T>(question: () => Promise<Outcome<T>>): Promise<Outcome<T>>;
}

export type Located<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: MethodResult };

const PRUNED: RpcError = {
  code: CODES.pruned,
  message: "pruned history unavailable",
  data: {
    kind: "pruned",
    advice: "Ask for a later block: the latest blocks only are kept. earliest is the oldest one.",
  },
};

export const HEADER_NOT_FOUND: RpcError = {
  code: CODES.server,
  message: "header not found",
  data: { kind: "unknown-block", advice: "No such block is on the chain: ask eth_blockNumber for the latest one." },
};

/**
 * Limits the questions to the chain: so many at a time, and each so long. One that takes longer is answered with a problem, but
 * counts until the chain has really ended it.
 */
export function chainGate(limits: Pick<RpcLimits, "callTimeoutMs">, most: number): RpcFace["ask"] {
  let underWay = 0;
  return async (question) => {
    if (underWay >= most) return { ok: false, problem: { kind: "overloaded" } };
    underWay++;
    const asked = (async () => question())().finally(() => underWay--);
    const late = Promise.withResolvers<Awaited<typeof asked>>();
    const limitMs = limits.callTimeoutMs;
    const timer = setTimeout(() => late.resolve({ ok: false, problem: { kind: "timeout", limitMs } }), limitMs);
    try {
      return await Promise.race([asked, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** The block that is meant; `pending` for the one to come, `undefined` for one that is not there. */
export function locate({ index }: RpcFace, reference: BlockReference): Located<IndexedBlock | "pending" | undefined> {
  switch (reference.by) {
    case "hash":
      return { ok: true, value: index.blockOf(reference.hash) };
    case "number":
      if (reference.number < index.first) return { ok: false, failure: failed(PRUNED) };
      return { ok: true, value: index.blockAt(reference.number) };
    case "tag":
      switch (reference.tag) {
        case "latest":
          return { ok: true, value: index.head };
        case "earliest":
          return { ok: true, value: index.blockAt(index.first) };
        case "safe":
        case "finalized":
          return { ok: true, value: index.finalBlock };
        case "pending":
          return { ok: true, value: "pending" };
      }
  }
}

/** Like `locate`, for questions about state, which need a block that is there. */
export function statePoint(face: RpcFace, reference: BlockReference): Located<StatePoint> {
  const located = locate(face, reference);
  if (!located.ok) return located;
  if (located.value === undefined) return { ok: false, failure: failed(HEADER_NOT_FOUND) };
  if (located.value === "pending") return { ok: true, value: { kind: "pending" } };
  const { number, hash, stateRoot } = located.value;
  return { ok: true, value: { kind: "block", number, hash, stateRoot } };
}
