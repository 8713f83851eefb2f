import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { NodeMessage } from "../../../scheduler/live/transport.ts";
import { writeAnnouncement } from "../../../scheduler/nats/announcement.ts";
import {
  createSession,
  createSessionReceiver,
  type SessionReceiver,
  writeJoin,
} from "../../../scheduler/nats/handshake.ts";
import type { Mishap } from "../../../scheduler/nats/index.ts";
import { Leadership } from "../../../scheduler/nats/leadership.ts";
import { Session } from "../../../scheduler/nats/session.ts";
import { Subjects } from "../../../scheduler/nats/subjects.ts";
import { type Announcement, writeFrame, writeUp } from "../../../scheduler/nats/wire.ts";
import type { SigningKey } from "../../../scheduler/proofs/keys.ts";
import type { NodeTerms } from "../../../scheduler/shared/vocabulary.ts";
import { SCHEDULER, SHARD } from "./nats-fleet.ts";
import { CHAIN } from "./users.ts";

/** Somebody on the broker who knows the protocol and keeps to it only as far as a test wants. */
export class Raw {
  readonly connection: NatsConnection;
  readonly subjects = new Subjects(SHARD);
  /** The latest announcements, and all that was said on a subject that `record` names. */
  readonly announced: Uint8Array[] = [];

  private constructor(connection: NatsConnection) {
    this.connection = connection;
  }

  static async connect(servers: string): Promise<Raw> {
    const raw = new Raw(await connect({ servers }));
    raw.connection.subscribe(raw.subjects.announce, { callback: (_, { data }) => void raw.announced.push(data) });
    await raw.connection.flush();
    return raw;
  }

  /** Everything said on these subjects from now on. */
  record(subject: string): { readonly subject: string; readonly data: Uint8Array }[] {
    const heard: { subject: string; data: Uint8Array }[] = [];
    this.connection.subscribe(subject, { callback: (_, { subject, data }) => void heard.push({ subject, data }) });
    return heard;
  }

  /** Says it, and waits until the broker has it. */
  async say(subject: string, data: Uint8Array): Promise<void> {
    this.connection.publish(subject, data);
    await this.connection.flush();
  }

  /** Keys to whoever leads, and the join that offers them, with what a case changes. */
  async join(options: {
    readonly terms: NodeTerms;
    readonly key: SigningKey;
    readonly number?: number;
    readonly announcement?: string;
  }): Promise<{ readonly bytes: Uint8Array; readonly session: Session }> {
    const { terms, key, number = Date.now() } = options;
    const leadership = new Leadership({ chainId: CHAIN, shard: SHARD, schedulers: [SCHEDULER.publicKeyHex] });
    for (const bytes of this.announced) leadership.hear(bytes);
    const { leader } = leadership;
    if (leader === undefined) throw new Error("nobody has announced himself");
    const announcement = options.announcement ?? leader.digest;
    const { encapsulated, keys } = await createSession(
      { announcement, node: terms.id },
      leader.announcement.sessionKey,
    );
    const bytes = writeJoin({ announcement, encapsulated, number, terms }, key);
    return { bytes, session: new Session("node", keys, 1_000) };
  }

  /** What a node would publish. */
  seal(session: Session, node: string, message: NodeMessage): { readonly subject: string; readonly data: Uint8Array } {
    const item = writeUp(message);
    if (item === undefined) throw new Error("that cannot be said");
    return this.sealBytes(session, node, writeFrame([item]));
  }

  /** What a node would publish that seals anything. */
  sealBytes(
    session: Session,
    node: string,
    plain: Uint8Array,
  ): { readonly subject: string; readonly data: Uint8Array } {
    const subject = this.subjects.up(node, "sealed");
    const data = session.seal(subject, plain);
    if (typeof data === "string") throw new Error(data);
    return { subject, data };
  }

  end(): Promise<void> {
    return this.connection.close();
  }
}

/** A leader's announcements, with what a case changes. */
export class RawLeader {
  readonly receiver: SessionReceiver;
  readonly #startedMs: number;
  #sequence = 0;

  private constructor(receiver: SessionReceiver, startedMs: number) {
    this.receiver = receiver;
    this.#startedMs = startedMs;
  }

  static async create(startedMs = Date.now()): Promise<RawLeader> {
    return new RawLeader(await createSessionReceiver(), startedMs);
  }

  announcement(changes: Partial<Announcement> = {}, key: SigningKey = SCHEDULER): Uint8Array {
    const about = { chainId: CHAIN, shard: SHARD, epoch: 1, scheduler: key.publicKeyHex, startedMs: this.#startedMs };
    const sequence = this.#sequence++;
    return writeAnnouncement({ ...about, sessionKey: this.receiver.publicKey, sequence, ...changes }, key).bytes;
  }
}

/** Waits until each of these happened so often; what else happened makes no difference. */
export async function untilCounted(
  where: { readonly mishaps: Readonly<Partial<Record<Mishap, number>>> },
  expected: Partial<Record<Mishap, number>>,
): Promise<void> {
  const untilMs = performance.now() + 10_000;
  const isSo = () => Object.entries(expected).every(([mishap, count]) => where.mishaps[mishap as Mishap] === count);
  while (!isSo()) {
    if (performance.now() > untilMs)
      throw new Error(`not ${JSON.stringify(expected)} but ${JSON.stringify(where.mishaps)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
