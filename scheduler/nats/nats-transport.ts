import type { Assignment, NodeMessage, RegistrationEpoch, Transport } from "../live/transport.ts";
import { ID_PATTERN } from "../proofs/wire-limits.ts";
import type { SigningKey } from "../proofs/keys.ts";
import { assert } from "../shared/assert.ts";
import { Announcer } from "./announcer.ts";
import type { NatsAuthentication, NatsTls } from "./authentication.ts";
import { createSessionReceiver, readJoin, type SessionReceiver } from "./handshake.ts";
import { MAX_MESSAGE_BYTES, type NatsLimits, natsLimits } from "./limits.ts";
import { Link, type LinkMessage, type NatsStatus } from "./link.ts";
import { type Member, Members } from "./members.ts";
import { Outbox } from "./outbox.ts";
import { RateLimit } from "./rate-limit.ts";
import { type Loss, type Mishap, Mishaps, type Refusal } from "./refusals.ts";
import { Session, sessionIdOf } from "./session.ts";
import { INVALID } from "./shapes.ts";
import { Subjects } from "./subjects.ts";
import { type DownMessage, type Join, joinedOf, readUp, termsOf, writeDown, writeFrame } from "./wire.ts";

export interface NatsTransportOptions {
  readonly servers: string | readonly string[];
  readonly authentication?: NatsAuthentication;
  readonly tls?: NatsTls;
  readonly chainId: string;
  /** 1 to 32 letters, digits, `_` or `-`. One scheduler leads a shard at a time. */
  readonly shard: string;
  /**
   * Of this shard's leaders the one with the highest epoch is the one, whatever others say: greater than that of every leader
   * before, or the same for the same scheduler's next start, if its clock has not been set back. A function is asked at the
   * start, when it is known.
   */
  readonly epoch: number | (() => number);
  /** The key by which nodes know this scheduler. */
  readonly signingKey: SigningKey;
  /** The key under which a node is registered; only it may use the name. Unknown nodes have their names while they use them. */
  readonly keyOf?: (node: string) => string | undefined;
  /** What differs from `DEFAULT_NATS_LIMITS`. */
  readonly limits?: Partial<NatsLimits>;
  readonly onStatus?: (status: NatsStatus) => void;
  /** Told of everything that was not taken or not sent, and of whom it was about where that is known. */
  readonly onMishap?: (mishap: Mishap, node: string | undefined) => void;
}

export interface NatsTransport extends Transport {
  /** How often what was not taken or not sent since the start. */
  readonly mishaps: Readonly<Partial<Record<Mishap, number>>>;
  /** Nodes that are there. */
  readonly presentNodes: number;
}

const HEARD = writeDown({ kind: "heard" }) ?? new Uint8Array(0);
/** How often silence is looked at. */
const TICK_MS = 250;
/** Time that one look may count for: a process that was held up has not listened. */
const MAX_TICK_MS = 2 * TICK_MS;

/**
 * Nodes on other machines, reached over NATS. Its start rejects with `NatsUnreachable` when there is no server; after that the
 * connection comes back whenever it can. docs/PROTOCOL.md is what it says on the wire. Throws on wrong options.
 */
export function createNatsTransport(options: NatsTransportOptions): NatsTransport {
  if (!ID_PATTERN.test(options.chainId)) throw new RangeError(`${JSON.stringify(options.chainId)} is no chain id`);
  if (typeof options.epoch === "number") requireEpoch(options.epoch);
  return new NatsNodes(options);
}

function requireEpoch(epoch: number): number {
  assert(Number.isSafeInteger(epoch) && epoch >= 0, "a leader's epoch is a safe integer, not negative");
  return epoch;
}

/** Something to say to a node, as it stands in a frame. */
interface Down {
  readonly node: string;
  readonly item: Uint8Array;
}

/**
 * T1. A node speaks only in its own name: under the subject that bears it, and in the session that its key has signed for.
 * T2. Nothing that comes can throw, or cost more than a look at its size, before it is authenticated; but joins, which are rationed.
 * T3. Neither `dispatch` nor `cancel` blocks: what cannot be sent waits within limits, or is lost and counted.
 */
class NatsNodes implements NatsTransport {
  readonly #options: NatsTransportOptions;
  readonly #limits: NatsLimits;
  readonly #subjects: Subjects;
  readonly #members: Members;
  readonly #mishaps = new Mishaps();
  readonly #outbox: Outbox<Down>;
  readonly #joinRate: RateLimit;
  /** Nodes with whom keys are being agreed on. */
  readonly #joining = new Set<string>();
  #receive: ((message: NodeMessage) => void) | undefined;
  #registration: RegistrationEpoch | undefined;
  #receiver: SessionReceiver | undefined;
  #link: Link | undefined;
  #announcer: Announcer | undefined;
  #ticking: NodeJS.Timeout | undefined;
  #tickedMs = 0;
  #isStarted = false;
  #closed = false;

  constructor(options: NatsTransportOptions) {
    this.#options = options;
    this.#limits = natsLimits(options.limits);
    this.#subjects = new Subjects(options.shard);
    this.#members = new Members(this.#limits, (node, items) => this.#sendFrame(node, items));
    this.#joinRate = new RateLimit(this.#limits.maxJoinsPerSecond);
    const { maxWaitingMessages: maxMessages, maxWaitingBytes: maxBytes, maxWaitingMs: maxAgeMs } = this.#limits;
    this.#outbox = new Outbox({ maxMessages, maxBytes, maxAgeMs, onLoss: (loss) => this.#count(loss, undefined) });
  }

  get mishaps(): Readonly<Partial<Record<Mishap, number>>> {
    return this.#mishaps.counts;
  }

  get presentNodes(): number {
    return this.#members.present;
  }

  onMessage(receive: (message: NodeMessage) => void): void {
    assert(this.#receive === undefined, "a transport has one receiver");
    this.#receive = receive;
  }

  announce(registration: RegistrationEpoch): void {
    this.#registration = registration;
    this.#announcer?.register(registration);
  }

  async start(): Promise<void> {
    assert(this.#receive !== undefined, "onMessage is called before start");
    assert(!this.#isStarted && !this.#closed, "a transport starts once");
    this.#isStarted = true;
    const { servers, authentication, tls, shard, onStatus = () => undefined } = this.#options;
    this.#receiver = await createSessionReceiver();
    const connection = { servers, authentication, tls, name: `pipe-scheduler ${shard}`, limits: this.#limits };
    const link = await Link.open({ ...connection, onStatus, onReady: () => this.#ready() });
    this.#link = link;
    if (this.#closed) return void (await link.close());
    link.subscribe(this.#subjects.allUp, (message) => this.#hear(message));
    link.subscribe(this.#subjects.hello, (message) => this.#hearHello(message));
    this.#announcer = this.#createAnnouncer(link, this.#receiver);
    this.#announcer.register(this.#registration);
    this.#tickedMs = performance.now();
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    await new Promise((resolve) => setTimeout(resolve, this.#limits.settleMs));
  }

  dispatch(assignment: Assignment): void {
    this.#say(assignment.node, { kind: "dispatch", assignment });
  }

  cancel(node: string, copy: number): void {
    this.#say(node, { kind: "cancel", copy });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#ticking);
    this.#announcer?.stop();
    this.#outbox.clear();
    await this.#link?.close();
  }

  #createAnnouncer(link: Link, { publicKey }: SessionReceiver): Announcer {
    const { chainId, shard, epoch, signingKey } = this.#options;
    return new Announcer({
      chainId,
      shard,
      epoch: requireEpoch(typeof epoch === "number" ? epoch : epoch()),
      key: signingKey,
      sessionKey: publicKey,
      startedMs: Date.now(),
      limits: this.#limits,
      nowMs: () => performance.now(),
      publish: (bytes) => void link.publish(this.#subjects.announce, bytes),
    });
  }

  // What is said to nodes.

  #say(node: string, message: DownMessage): void {
    if (this.#link === undefined || this.#closed) return;
    const item = writeDown(message);
    if (item === undefined) return this.#count("unsayable", node);
    if (this.#link.isReady && this.#outbox.isEmpty) this.#tell({ node, item });
    else this.#outbox.push({ node, item }, item.length, performance.now());
  }

  #tell({ node, item }: Down): void {
    const member = this.#members.node(node);
    if (member === undefined) this.#count("no-session", node);
    else member.frame.add(item);
  }

  #sendFrame(node: string, items: readonly Uint8Array[]): void {
    const member = this.#members.node(node);
    if (member === undefined || this.#closed) return this.#count("no-session", node, items.length);
    const subject = this.#subjects.down(node, "sealed");
    const sealed = member.session.seal(subject, writeFrame(items));
    if (typeof sealed === "string") return this.#count(sealed, node, items.length);
    if (this.#link?.publish(subject, sealed) === false) return this.#count("too-large", node, items.length);
    member.toldMs = this.#members.clockMs;
  }

  #ready(): void {
    if (this.#closed) return;
    this.#announcer?.announce();
    this.#outbox.drain(
      performance.now(),
      () => this.#link?.isReady === true,
      (down) => this.#tell(down),
    );
  }

  #tick(): void {
    const nowMs = performance.now();
    const elapsedMs = this.#link?.isAlive === true ? Math.min(nowMs - this.#tickedMs, MAX_TICK_MS) : 0;
    this.#tickedMs = nowMs;
    this.#announcer?.tick();
    this.#members.tick(elapsedMs, ({ node }) => this.#receive?.({ kind: "left", node }));
    if (this.#link?.isReady !== true) return;
    for (const { frame } of this.#members.untold(this.#limits.heardMs)) frame.add(HEARD);
  }

  // What nodes say.

  #hearHello({ data }: LinkMessage): void {
    if (data.length > MAX_MESSAGE_BYTES.hello) return this.#count("oversized", undefined);
    this.#announcer?.ask();
  }

  #hear({ subject, data }: LinkMessage): void {
    if (this.#closed) return;
    const about = this.#subjects.readUp(subject);
    if (about === undefined) return this.#count("unknown-subject", undefined);
    const { node, kind } = about;
    if (data.length > MAX_MESSAGE_BYTES[kind]) return this.#count("oversized", node);
    const refusal = kind === "join" ? this.#hearJoin(node, data) : this.#hearSealed(node, subject, data);
    if (refusal !== undefined) this.#count(refusal, node);
  }

  #hearSealed(node: string, subject: string, data: Uint8Array): Refusal | undefined {
    const id = sessionIdOf(data);
    if (id === undefined) return "malformed";
    const known = this.#members.session(id);
    if (known === undefined) return "unknown-session";
    const { member, session } = known;
    if (member.node !== node) return "wrong-node";
    const plain = session.open(subject, data);
    if (typeof plain === "string") return plain;
    const messages = readUp(node, plain);
    if (messages === INVALID) return "malformed";
    if (!member.rate.take(performance.now(), messages.length)) return "flood";
    for (const message of messages) {
      const refusal = this.#take(member, message);
      if (refusal !== undefined) this.#count(refusal, node);
    }
    return undefined;
  }

  /** What a node says in its session. */
  #take(member: Member, message: NodeMessage): Refusal | undefined {
    if (message.kind === "joined") {
      const { id, key } = message.terms;
      if (id !== member.node) return "wrong-node";
      if (key !== member.key) return "other-key";
      member.said = termsOf(message);
    } else if (message.kind === "left") {
      member.isPresent = false;
      this.#receive?.(message);
      return undefined;
    } else if (!member.isPresent) {
      this.#receive?.(joinedOf(member.said));
    }
    this.#members.hear(member);
    this.#receive?.(message);
    return undefined;
  }

  #hearJoin(node: string, data: Uint8Array): Refusal | undefined {
    const heard = readJoin(data);
    if (heard === INVALID) return "malformed";
    const { join } = heard;
    const refusal = this.#joinRefusal(node, join);
    if (refusal !== undefined) return refusal;
    if (!this.#joinRate.take(performance.now())) return "too-many-joins";
    if (!heard.isSigned()) return "bad-signature";
    void this.#agree(node, join);
    return undefined;
  }

  #joinRefusal(node: string, join: Join): Refusal | undefined {
    const { id, key } = join.terms;
    if (id !== node) return "wrong-node";
    if (this.#announcer?.mayBeAnswered(join.announcement) !== true) return "stale-join";
    const known = this.#members.node(node);
    const registered = this.#options.keyOf?.(node);
    if (registered !== undefined && registered !== key) return "other-key";
    if (known !== undefined && known.key !== key && known.isPresent) return "other-key";
    if (known !== undefined && known.key === key && join.number <= known.joinNumber) return "repeated-join";
    if (known === undefined && this.#members.isFull) return "too-many-nodes";
    return this.#joining.has(node) || this.#joining.size >= this.#limits.maxPendingJoins ? "too-many-joins" : undefined;
  }

  async #agree(node: string, join: Join): Promise<void> {
    this.#joining.add(node);
    const { announcement, encapsulated } = join;
    const keys = await this.#receiver?.receive({ announcement, node }, encapsulated).catch(() => undefined);
    this.#joining.delete(node);
    if (this.#closed) return;
    if (keys === undefined) return this.#count("malformed", node);
    if (this.#members.node(node) === undefined && this.#members.isFull) return this.#count("too-many-nodes", node);
    if (!this.#members.begin(keys.id, performance.now())) return this.#count("repeated-join", node);
    const session = new Session("scheduler", keys, this.#limits.maxSessionMessages);
    const said = join.document === undefined ? { terms: join.terms } : { terms: join.terms, document: join.document };
    // Before anything else is told in the new session: the node waits for it.
    this.#members.join(node, said, join.number, session).frame.add(HEARD);
    this.#receive?.(joinedOf(said));
  }

  #count(mishap: Refusal | Loss, node: string | undefined, times = 1): void {
    this.#mishaps.count(mishap, times);
    this.#options.onMishap?.(mishap, node);
  }
}
