import type { NodeMessage, RegistrationEpoch } from "../live/transport.ts";
import type { InferenceNode } from "../node/inference-node.ts";
import type { AttestedBy } from "../node/node-enclave.ts";
import { isHashHex } from "../proofs/digest.ts";
import type { SigningKey } from "../proofs/keys.ts";
import { ID_PATTERN } from "../proofs/wire-limits.ts";
import type { NodeTerms } from "../shared/vocabulary.ts";
import type { NatsAuthentication, NatsTls } from "./authentication.ts";
import { Frame } from "./frame.ts";
import { HeldCopies } from "./held-copies.ts";
import { Leadership } from "./leadership.ts";
import { MAX_MESSAGE_BYTES, type NatsLimits, natsLimits } from "./limits.ts";
import { Link, type LinkMessage, type NatsStatus } from "./link.ts";
import { MicroService } from "./micro-service.ts";
import { NodeSession } from "./node-session.ts";
import { Outbox } from "./outbox.ts";
import { type Mishap, Mishaps } from "./refusals.ts";
import { INVALID } from "./shapes.ts";
import { requireNode, Subjects } from "./subjects.ts";
import { type DownMessage, readDown, termsOf, writeFrame, writeUp } from "./wire.ts";

/** What is hosted: an `InferenceNode`, or something that behaves like one. */
export type HostedNode = Pick<InferenceNode, "join" | "rejoin" | "assign" | "cancel" | "drain">;

export interface NodeHosting {
  /** Its key is the public part of the host's. */
  readonly terms: NodeTerms;
  /** Makes the node. What it says goes to the scheduler. */
  readonly create: (say: (message: NodeMessage) => void) => HostedNode;
  /** A document of the node's enclave for this epoch, for nodes that have one. Asked again with each epoch. */
  readonly attest?: (epoch: RegistrationEpoch) => AttestedBy | undefined | Promise<AttestedBy | undefined>;
}

/** What becomes of a node. Everything but `closed` passes by itself. */
export type NatsNodeStatus =
  | NatsStatus
  /** It follows a leader: another one than before, or a new start of the same. */
  | { readonly kind: "following"; readonly scheduler: string; readonly epoch: number }
  /** The leader has taken it. */
  | { readonly kind: "joined"; readonly epoch: number }
  /** Its enclave gave no document: it goes on without, and offers nothing that needs one. */
  | { readonly kind: "unattested"; readonly error: Error };

export interface NatsNodeOptions {
  readonly servers: string | readonly string[];
  readonly authentication?: NatsAuthentication;
  readonly tls?: NatsTls;
  readonly chainId: string;
  readonly shard: string;
  /** Keys of the schedulers that it obeys, 64 hexadecimal digits each. */
  readonly schedulers: readonly string[];
  /** The node's registered key. */
  readonly key: SigningKey;
  readonly node: NodeHosting;
  /** What differs from `DEFAULT_NATS_LIMITS`. */
  readonly limits?: Partial<NatsLimits>;
  readonly onStatus?: (status: NatsNodeStatus) => void;
  /** Told of everything that was not taken or not sent. */
  readonly onMishap?: (mishap: Mishap) => void;
}

export interface NatsNode {
  /** Fails its copies as `drained`, says farewell, and ends the connection. */
  drain(): Promise<void>;
  /** Resolves when the connection has ended for good: after `drain` without an error. */
  readonly closed: Promise<Error | undefined>;
  /** How often what was not taken or not sent since the start. */
  readonly mishaps: Readonly<Partial<Record<Mishap, number>>>;
}

/**
 * Hosts an inference node on NATS: it follows whoever leads its shard, and comes back by itself whatever becomes of broker and
 * scheduler. Rejects with `NatsUnreachable` when there is no server, and with a RangeError on wrong options.
 */
export async function startNatsNode(options: NatsNodeOptions): Promise<NatsNode> {
  const { terms } = options.node;
  requireNode(terms.id);
  if (!ID_PATTERN.test(options.chainId)) throw new RangeError(`${JSON.stringify(options.chainId)} is no chain id`);
  if (terms.key !== options.key.publicKeyHex)
    throw new RangeError(`${terms.id}: its terms name another key than its own`);
  if (options.schedulers.length === 0 || !options.schedulers.every(isHashHex))
    throw new RangeError(`${terms.id}: it obeys one scheduler or more, by keys of 64 lower-case hexadecimal digits`);
  if (writeUp({ kind: "joined", terms }) === undefined) throw new RangeError(`${terms.id}: its terms are none`);
  const host = new NodeHost(options);
  await host.start();
  return host;
}

const TICK_MS = 250;
/** Copies whose numbers a node remembers: more than it has slots and places to wait. */
const MAX_HELD_COPIES = 4_096;

/**
 * H1. Only the leader of the highest epoch that was ever heard is obeyed (`Leadership`), and only in a session with it.
 * H2. What the node says of a copy is told to the leader that asked for it, and to no other.
 * H3. Last words wait for a broker that is away; anything else is soon said again, or of no use later.
 */
class NodeHost implements NatsNode {
  readonly #options: NatsNodeOptions;
  readonly #id: string;
  readonly #limits: NatsLimits;
  readonly #subjects: Subjects;
  readonly #leadership: Leadership;
  readonly #copies = new HeldCopies(MAX_HELD_COPIES);
  readonly #mishaps = new Mishaps();
  readonly #session: NodeSession;
  readonly #outbox: Outbox<Uint8Array>;
  readonly #frame = new Frame((items) => this.#sendFrame(items));
  readonly #service: MicroService;
  readonly #node: HostedNode;
  readonly #closed = Promise.withResolvers<Error | undefined>();
  #link: Link | undefined;
  #hasJoined = false;
  /** What the node says now is for nobody. */
  #isSilent = false;
  /** What it has said of itself and the scheduler has not been told. */
  #news: Uint8Array | undefined;
  /** Seed of the registration epoch that the node's document answers, or is being made for. */
  #registration: string | undefined;
  /** Time for which the server was there and the scheduler said nothing. */
  #untoldMs = 0;
  #sinceHelloMs = 0;
  #adoption: NodeJS.Timeout | undefined;
  #ticking: NodeJS.Timeout | undefined;
  #draining: Promise<void> | undefined;

  constructor(options: NatsNodeOptions) {
    this.#options = options;
    const { chainId, shard, schedulers, key, node } = options;
    const { id } = node.terms;
    this.#id = id;
    this.#limits = natsLimits(options.limits);
    this.#subjects = new Subjects(shard);
    this.#leadership = new Leadership({ chainId, shard, schedulers });
    this.#session = new NodeSession({
      node: id,
      key,
      limits: this.#limits,
      publish: (join) => {
        this.#news = undefined;
        this.#publish(this.#subjects.up(id, "join"), join);
      },
      onSession: () => this.#taken(),
    });
    const { maxWaitingMessages: maxMessages, maxWaitingBytes: maxBytes, maxWaitingMs: maxAgeMs } = this.#limits;
    this.#outbox = new Outbox({ maxMessages, maxBytes, maxAgeMs, onLoss: (loss) => this.#count(loss) });
    this.#service = new MicroService({
      terms: node.terms,
      subject: this.#subjects.down(id, "sealed"),
      publish: (subject, data) => this.#publish(subject, data),
      startedAt: new Date(),
    });
    this.#node = node.create((message) => this.#say(message));
  }

  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  get mishaps(): Readonly<Partial<Record<Mishap, number>>> {
    return this.#mishaps.counts;
  }

  async start(): Promise<void> {
    const { servers, authentication, tls } = this.#options;
    const connection = { servers, authentication, tls, name: `pipe-node ${this.#id}`, limits: this.#limits };
    const onStatus = (status: NatsStatus) => this.#tell(status);
    const link = await Link.open({ ...connection, onStatus, onReady: () => this.#ready() });
    this.#link = link;
    void link.ended.then((error) => this.#end(error));
    link.subscribe(this.#subjects.announce, (message) => this.#hearAnnouncement(message));
    link.subscribe(this.#subjects.allDown(this.#id), (message) => this.#hear(message));
    for (const subject of this.#service.subjects) link.subscribe(subject, (message) => this.#service.hear(message));
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    this.#sayHello();
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    clearInterval(this.#ticking);
    clearTimeout(this.#adoption);
    this.#node.drain();
    this.#session.close();
    if (this.#link?.isReady === true && this.#session.current !== undefined) {
      const farewell = writeUp({ kind: "left", node: this.#id });
      if (farewell !== undefined) this.#frame.add(farewell);
      this.#frame.flush();
    }
    await this.#link?.close();
  }

  #end(error: Error | undefined): void {
    clearInterval(this.#ticking);
    clearTimeout(this.#adoption);
    this.#session.close();
    if (this.#draining === undefined) this.#node.drain();
    this.#closed.resolve(error);
  }

  // Whom it follows.

  #hearAnnouncement({ data }: LinkMessage): void {
    if (this.#draining !== undefined) return;
    if (data.length > MAX_MESSAGE_BYTES.announce) return this.#count("oversized");
    const heard = this.#leadership.hear(data);
    const leader = this.#leadership.leader;
    if (heard !== "start" && heard !== "again") return this.#count(heard);
    if (leader === undefined) return;
    const { scheduler, epoch, registration } = leader.announcement;
    if (heard === "again") this.#session.renew(leader);
    else {
      this.#copies.orphan();
      this.#outbox.clear();
      this.#frame.clear();
      clearTimeout(this.#adoption);
      this.#adoption = undefined;
      this.#untoldMs = 0;
      this.#session.follow(leader);
      this.#tell({ kind: "following", scheduler, epoch });
    }
    void this.#register(registration);
  }

  /** Lets the node join, with a document for the epoch where it has an enclave, and again for every further epoch. */
  async #register(registration: { readonly epoch: number; readonly seed: string } | undefined): Promise<void> {
    const { chainId, node } = this.#options;
    if (node.attest === undefined || registration === undefined) return this.#enter(undefined);
    if (registration.seed === this.#registration) return;
    this.#registration = registration.seed;
    const attested = await this.#attest({ chainId, ...registration });
    // Another epoch may have been announced meanwhile.
    if (this.#registration === registration.seed || attested === undefined) this.#enter(attested);
  }

  async #attest(epoch: RegistrationEpoch): Promise<AttestedBy | undefined> {
    try {
      return await this.#options.node.attest?.(epoch);
    } catch (error) {
      this.#registration = undefined;
      this.#tell({ kind: "unattested", error: error instanceof Error ? error : new Error(String(error)) });
      return undefined;
    }
  }

  #enter(attested: AttestedBy | undefined): void {
    if (this.#draining !== undefined) return;
    if (this.#hasJoined) return attested === undefined ? undefined : this.#node.rejoin(attested);
    this.#hasJoined = true;
    this.#node.join(attested);
  }

  /** The leader has taken the node. */
  #taken(): void {
    this.#untoldMs = 0;
    const epoch = this.#leadership.leader?.announcement.epoch ?? 0;
    this.#tell({ kind: "joined", epoch });
    if (this.#copies.hasOrphans) {
      this.#adoption ??= setTimeout(() => {
        for (const copy of this.#copies.abandon()) this.#node.cancel(copy);
      }, this.#limits.adoptMs);
    }
    this.#catchUp();
  }

  #ready(): void {
    this.#sayHello();
    this.#catchUp();
  }

  #sayHello(): void {
    this.#sinceHelloMs = 0;
    this.#publish(this.#subjects.hello, new Uint8Array(0));
  }

  #tick(): void {
    const { maxUnheardMs, announceMs, renewAfterMessages } = this.#limits;
    this.#sinceHelloMs += TICK_MS;
    if (this.#leadership.leader === undefined && this.#sinceHelloMs >= announceMs) this.#sayHello();
    if (this.#link?.isAlive !== true || this.#session.isJoining || !this.#hasJoined) return;
    this.#untoldMs += TICK_MS;
    const isUsedUp = (this.#session.current?.messages ?? 0) >= renewAfterMessages;
    if (this.#untoldMs <= maxUnheardMs && !isUsedUp) return;
    this.#untoldMs = 0;
    this.#session.join();
  }

  // What it is told.

  #hear({ subject, data }: LinkMessage): void {
    if (this.#draining !== undefined) return;
    const about = this.#subjects.readDown(subject);
    if (about === undefined) return this.#count("unknown-subject");
    const { node, kind } = about;
    if (node !== this.#id) return this.#count("wrong-node");
    if (data.length > MAX_MESSAGE_BYTES[kind]) return this.#count("oversized");
    const plain = this.#session.open(subject, data);
    if (typeof plain === "string") return this.#count(plain);
    const messages = readDown(plain);
    if (messages === INVALID) return this.#count("malformed");
    this.#untoldMs = 0;
    for (const message of messages) this.#obey(message);
  }

  #obey(message: DownMessage): void {
    if (message.kind === "heard") return;
    if (message.kind === "cancel") return this.#node.cancel(message.copy);
    const { assignment } = message;
    const { copy, nonce } = assignment;
    const asked = this.#copies.ask(copy, nonce, performance.now());
    // H2: a copy that ends to make room for another one under its number ends without a word.
    if (asked === "other") this.#silently(() => this.#node.cancel(copy));
    if (asked !== "again") this.#service.asked();
    this.#node.assign({ ...assignment, node: this.#id, chainId: this.#options.chainId });
  }

  #silently(act: () => void): void {
    this.#isSilent = true;
    act();
    this.#isSilent = false;
  }

  // What it says.

  #say(message: NodeMessage): void {
    if (message.kind === "joined") return this.#sayTerms(message);
    if (this.#isSilent) return;
    if (message.kind === "accepted") this.#service.accepted();
    const isLast = message.kind === "answered" || message.kind === "failed";
    if (isLast) this.#note(message);
    if (!this.#copies.concerns(message)) return;
    const item = writeUp(message) ?? this.#instead(message);
    if (item === undefined) return;
    if (this.#link?.isReady === true && this.#session.current !== undefined && this.#outbox.isEmpty)
      this.#frame.add(item);
    else if (isLast) this.#outbox.push(item, item.length, performance.now());
  }

  /** An answer that has no form, such as one that is too long, has failed; anything else is left out. */
  #instead(message: NodeMessage): Uint8Array | undefined {
    this.#count("unsayable");
    if (message.kind !== "answered") return undefined;
    return writeUp({ kind: "failed", node: this.#id, copy: message.copy, reason: "error" });
  }

  #note(message: Extract<NodeMessage, { kind: "answered" | "failed" }>): void {
    const tookMs = this.#copies.end(message.copy, performance.now());
    if (tookMs === undefined) return;
    if (message.kind === "answered") this.#service.answered(tookMs);
    else this.#service.failed(message.reason, tookMs);
  }

  /** A join says them to a leader that does not know the node yet; one that does is told in the session. */
  #sayTerms(message: Extract<NodeMessage, { kind: "joined" }>): void {
    const item = writeUp(message);
    if (item === undefined) return this.#count("unsayable");
    this.#session.said = termsOf(message);
    this.#news = item;
    this.#catchUp();
  }

  #sendFrame(items: readonly Uint8Array[]): void {
    const subject = this.#subjects.up(this.#id, "sealed");
    const sealed = this.#session.current?.seal(subject, writeFrame(items)) ?? "no-session";
    if (typeof sealed === "string") return this.#count(sealed, items.length);
    this.#publish(subject, sealed);
  }

  #publish(subject: string, data: Uint8Array): void {
    if (this.#link?.publish(subject, data) === false) this.#count("too-large");
  }

  /** Says what has waited for a session, or for the server. */
  #catchUp(): void {
    const isReady = () => this.#link?.isReady === true && this.#session.current !== undefined;
    if (!isReady()) return;
    if (this.#news !== undefined) this.#frame.add(this.#news);
    this.#news = undefined;
    this.#outbox.drain(performance.now(), isReady, (item) => this.#frame.add(item));
  }

  #count(mishap: Mishap, times = 1): void {
    this.#mishaps.count(mishap, times);
    this.#options.onMishap?.(mishap);
  }

  #tell(status: NatsNodeStatus): void {
    this.#options.onStatus?.(status);
  }
}
