import { writeAnnouncement } from "../../scheduler/nats/announcement.ts";
import { createSession, createSessionReceiver, writeJoin } from "../../scheduler/nats/handshake.ts";
import { Session } from "../../scheduler/nats/session.ts";
import { Subjects } from "../../scheduler/nats/subjects.ts";
import { writeDown, writeFrame, writeUp } from "../../scheduler/nats/wire.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import { signingKeyFromSeed } from "../../scheduler/proofs/keys.ts";

/** The vectors of docs/examples/nats-vectors.json: everything that both ends say in a short conversation, from fixed secrets. */

const hexOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");
const SECRETS = { scheduler: 1, node: 2, receiver: 3, sender: 4 };
const secret = (which: keyof typeof SECRETS) => new Uint8Array(32).fill(SECRETS[which]);

export async function natsVectors() {
  const subjects = new Subjects("shard-0");
  const schedulerKey = signingKeyFromSeed(secret("scheduler"));
  const nodeKey = signingKeyFromSeed(secret("node"));
  const receiver = await createSessionReceiver(secret("receiver"));
  const announcement = {
    chainId: "my-chain",
    shard: "shard-0",
    epoch: 7,
    scheduler: schedulerKey.publicKeyHex,
    sessionKey: receiver.publicKey,
    startedMs: 1_700_000_000_000,
    sequence: 3,
    registration: { epoch: 944_444, seed: "5e".repeat(32) },
  };
  const announced = writeAnnouncement(announcement, schedulerKey);

  const node = "oak.1";
  const terms = {
    id: node,
    key: nodeKey.publicKeyHex,
    operator: "oak",
    region: "eu-west",
    hardware: "h100-tp8",
    slots: 4,
    queueLimit: 16,
    offers: [{ model: "risk-small", mode: "vanilla", priceGwei: 1_200 }],
  } as const;
  const about = { announcement: announced.digest, node };
  const { encapsulated, keys } = await createSession(about, receiver.publicKey, secret("sender"));
  const join = { announcement: announced.digest, encapsulated, number: 1, terms };

  const input = Buffer.from("0000803f", "hex");
  const call = { callIndex: 0, model: "risk-small", mode: "vanilla", inputHash: sha256Hex(input), input } as const;
  const size = { tokensIn: 1, tokensOut: 1, leaseMs: 5_000 };
  const assignment = { copy: 42, nonce: 4_294_967_296, txHash: "7a".repeat(32), ...call, ...size };
  const ends = [new Session("scheduler", keys, 2 ** 24), new Session("node", keys, 2 ** 24)] as const;
  const sealed = (from: Session, subject: string, items: readonly (Uint8Array | undefined)[]) => {
    const frame = writeFrame(items.map((item) => item ?? new Uint8Array(0)));
    const bytes = from.seal(subject, frame);
    return { subject, frame: hexOf(frame), bytes: hexOf(typeof bytes === "string" ? undefined : bytes) };
  };
  const proof = { kind: "vanilla", signature: "51".repeat(64) } as const;
  const [down, up] = [subjects.down(node, "sealed"), subjects.up(node, "sealed")];
  return {
    secrets: {
      schedulerSeed: hexOf(secret("scheduler")),
      nodeSeed: hexOf(secret("node")),
      receiverKeyMaterial: hexOf(secret("receiver")),
      ephemeralKeyMaterial: hexOf(secret("sender")),
    },
    announcement: {
      subject: subjects.announce,
      says: announcement,
      digest: announced.digest,
      bytes: hexOf(announced.bytes),
    },
    join: { subject: subjects.up(node, "join"), says: join, bytes: hexOf(writeJoin(join, nodeKey)) },
    session: { id: keys.id, up: hexOf(keys.up), down: hexOf(keys.down) },
    messages: [
      sealed(ends[0], down, [writeDown({ kind: "heard" }), writeDown({ kind: "dispatch", assignment })]),
      sealed(ends[1], up, [
        writeUp({ kind: "reported", node, running: 1, queued: 0, warm: ["risk-small"] }),
        writeUp({ kind: "accepted", node, copy: 42 }),
      ]),
      sealed(ends[1], up, [writeUp({ kind: "answered", node, copy: 42, output: input, proof })]),
      sealed(ends[0], down, [writeDown({ kind: "cancel", copy: 43 })]),
      sealed(ends[1], up, [
        writeUp({ kind: "progressed", node, copy: 44, tokens: 17 }),
        writeUp({ kind: "failed", node, copy: 44, reason: "drained" }),
        writeUp({ kind: "left", node }),
      ]),
    ],
  };
}
