import type { Assignment, NodeMessage, Proof } from "../live/transport.ts";
import { isProof } from "../proofs/proof.ts";
import { ID_PATTERN, WIRE_LIMITS } from "../proofs/wire-limits.ts";
import type { AttestationRef, FailureReason, NodeTerms, Offer } from "../shared/vocabulary.ts";
import { MODES } from "../shared/vocabulary.ts";
import { arrayOf } from "./cbor.ts";
import { MAX_FRAME_MESSAGES, MAX_MODELS } from "./limits.ts";
import {
  bytes,
  hex,
  INVALID,
  type Invalid,
  list,
  oneOf,
  read,
  record,
  type Shape,
  text,
  uint,
  write,
} from "./shapes.ts";

/** The schemas of everything that is said, as docs/PROTOCOL.md lists them. */

const HASH_BYTES = 32;
const SIGNATURE_BYTES = 64;
const MAX_INSIDE_BYTES = 128 * 1024;

const id = text(ID_PATTERN);
const hash = hex(HASH_BYTES);
const key = hex(HASH_BYTES);

/** Bytes and the Ed25519 signature that vouches for them. */
export interface Signed {
  readonly body: Uint8Array;
  readonly signature: string;
}

export interface Announcement {
  readonly chainId: string;
  readonly shard: string;
  /** Of this shard's leaders the one with the highest is the one. */
  readonly epoch: number;
  /** The scheduler's Ed25519 key. */
  readonly scheduler: string;
  /** The X25519 key to which sessions are agreed on, new with each start. */
  readonly sessionKey: string;
  /** Unix time of the start, and how many announcements came before since. */
  readonly startedMs: number;
  readonly sequence: number;
  /** The epoch whose nonce attestation documents have to answer. */
  readonly registration?: { readonly epoch: number; readonly seed: string };
}

/** How a node says who it is, and on what terms. */
export interface Terms {
  readonly terms: NodeTerms;
  readonly document?: Uint8Array;
}

export interface Join extends Terms {
  /** SHA-256 of the body of the announcement that it answers. */
  readonly announcement: string;
  /** HPKE's encapsulated key. */
  readonly encapsulated: string;
  /** Greater than in every join of this node before. */
  readonly number: number;
}

type Bare<K extends NodeMessage["kind"]> = Omit<Extract<NodeMessage, { kind: K }>, "kind" | "node">;
type Dispatch = Omit<Assignment, "node" | "chainId">;

const termsShape = record<NodeTerms>(
  {
    id,
    key,
    operator: id,
    region: id,
    hardware: id,
    slots: uint,
    queueLimit: uint,
    offers: list(record<Omit<Offer, "equivalence">>({ model: id, mode: oneOf(MODES), priceGwei: uint }), MAX_MODELS),
    attestation: record<AttestationRef>({ hash, epoch: uint }),
  },
  ["attestation"],
);
const documentShape = bytes(WIRE_LIMITS.maxAttestationBytes);

interface WideProof {
  readonly kind: Proof["kind"];
  readonly signature: string;
  readonly attestation?: string;
  readonly proof?: string;
}

const wideProof = record<WideProof>(
  {
    kind: oneOf(["vanilla", "optimistic", "tee", "zkml"]),
    signature: hex(1, WIRE_LIMITS.maxSignatureBytes),
    attestation: hash,
    proof: hex(1, WIRE_LIMITS.maxZkProofBytes),
  },
  ["attestation", "proof"],
);

const proofShape: Shape<Proof> = {
  plain: (value) => wideProof.plain(value),
  read(plain) {
    const found = wideProof.read(plain);
    return isProof(found) ? found : INVALID;
  },
};

export const signedShape = record<Signed>({ body: bytes(MAX_INSIDE_BYTES), signature: hex(SIGNATURE_BYTES) });

export const announcementShape = record<Announcement>(
  {
    chainId: id,
    shard: id,
    epoch: uint,
    scheduler: key,
    sessionKey: key,
    startedMs: uint,
    sequence: uint,
    registration: record<NonNullable<Announcement["registration"]>>({ epoch: uint, seed: hash }),
  },
  ["registration"],
);

export const joinShape = record<Join>(
  { announcement: hash, encapsulated: key, number: uint, terms: termsShape, document: documentShape },
  ["document"],
);

const FAILURES = ["error", "overloaded", "unknown-model", "drained", "cancelled"] satisfies FailureReason[];

/** What a node says in a session, by word. */
const UP = {
  terms: record<Terms>({ terms: termsShape, document: documentShape }, ["document"]),
  leave: record<object>({}),
  report: record<Bare<"reported">>({ running: uint, queued: uint, warm: list(id, MAX_MODELS) }),
  accept: record<Bare<"accepted">>({ copy: uint }),
  progress: record<Bare<"progressed">>({ copy: uint, tokens: uint }),
  answer: record<Bare<"answered">>({ copy: uint, output: bytes(WIRE_LIMITS.maxOutputBytes), proof: proofShape }),
  fail: record<Bare<"failed">>({ copy: uint, reason: oneOf<FailureReason>(FAILURES) }),
} as const;

/** What it is told. */
const DOWN = {
  heard: record<object>({}),
  dispatch: record<Dispatch>(
    {
      copy: uint,
      nonce: uint,
      txHash: hash,
      callIndex: uint,
      model: id,
      mode: oneOf(MODES),
      inputHash: hash,
      input: bytes(WIRE_LIMITS.maxInputBytes),
      tokensIn: uint,
      tokensOut: uint,
      attestation: hash,
      leaseMs: uint,
    },
    ["attestation"],
  ),
  cancel: record<{ readonly copy: number }>({ copy: uint }),
} as const;

/** What a scheduler says to a node. */
export type DownMessage =
  | { readonly kind: "heard" }
  | { readonly kind: "dispatch"; readonly assignment: Dispatch }
  | { readonly kind: "cancel"; readonly copy: number };

/** By which word a node's messages are known on the wire. */
const WORDS = {
  joined: "terms",
  left: "leave",
  reported: "report",
  accepted: "accept",
  progressed: "progress",
  answered: "answer",
  failed: "fail",
} as const satisfies Record<NodeMessage["kind"], keyof typeof UP>;
const KINDS = new Map(Object.entries(WORDS).map(([kind, word]) => [word, kind as NodeMessage["kind"]]));

const upWord = oneOf(Object.keys(UP) as (keyof typeof UP)[]);
const downWord = oneOf(Object.keys(DOWN) as (keyof typeof DOWN)[]);

/** A message inside a frame: its word, and what it says. The node that says it is the session's. */
const upShape: Shape<NodeMessage> = {
  plain(message) {
    const word = WORDS[message.kind];
    const body = message.kind === "joined" ? termsOf(message) : message;
    return [word, (UP[word] as Shape<object>).plain(body)];
  },
  read(plain) {
    const said = pairOf(upWord, plain);
    if (said === INVALID) return INVALID;
    const [word, about] = said;
    const body = (UP[word] as Shape<object>).read(about);
    if (body === INVALID) return INVALID;
    return word === "terms" ? joinedOf(body as Terms) : ({ ...body, kind: KINDS.get(word) } as NodeMessage);
  },
};

const downShape: Shape<DownMessage> = {
  plain(message) {
    const body = message.kind === "dispatch" ? message.assignment : message;
    return [message.kind, (DOWN[message.kind] as Shape<object>).plain(body)];
  },
  read(plain) {
    const said = pairOf(downWord, plain);
    if (said === INVALID) return INVALID;
    const [kind, about] = said;
    const body = (DOWN[kind] as Shape<object>).read(about);
    if (body === INVALID) return INVALID;
    return (kind === "dispatch" ? { kind, assignment: body } : { ...body, kind }) as DownMessage;
  },
};

/** A word and what it is about. */
function pairOf<W extends string>(words: Shape<W>, plain: unknown): readonly [W, unknown] | Invalid {
  if (!Array.isArray(plain) || plain.length !== 2) return INVALID;
  const word = words.read(plain[0]);
  return word === INVALID ? INVALID : [word, plain[1]];
}

const upFrame = list(upShape, MAX_FRAME_MESSAGES);
const downFrame = list(downShape, MAX_FRAME_MESSAGES);

/** A node's message as an item of a frame, or `undefined` for what no scheduler would read. */
export function writeUp(message: NodeMessage): Uint8Array | undefined {
  return writeItem(upShape, message);
}

/** A scheduler's, likewise. */
export function writeDown(message: DownMessage): Uint8Array | undefined {
  return writeItem(downShape, message);
}

function writeItem<A>(shape: Shape<A>, message: A): Uint8Array | undefined {
  try {
    return write(shape, message);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** What is sealed: items in the order in which they were said. */
export function writeFrame(items: readonly Uint8Array[]): Uint8Array {
  return arrayOf(items);
}

/** What the node says, in its own name, or `INVALID`. */
export function readUp(node: string, frame: Uint8Array): readonly NodeMessage[] | Invalid {
  const said = read(upFrame, frame);
  return said === INVALID
    ? INVALID
    : said.map((message) => (message.kind === "joined" ? message : { ...message, node }));
}

export function readDown(frame: Uint8Array): readonly DownMessage[] | Invalid {
  return read(downFrame, frame);
}

export function termsOf({ terms, attestation }: Extract<NodeMessage, { kind: "joined" }>): Terms {
  return attestation === undefined ? { terms } : { terms, document: attestation };
}

export function joinedOf({ terms, document }: Terms): Extract<NodeMessage, { kind: "joined" }> {
  return document === undefined ? { kind: "joined", terms } : { kind: "joined", terms, attestation: document };
}
