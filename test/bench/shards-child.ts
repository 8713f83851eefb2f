/** One shard of the benchmark: a scheduler that leads it, its nodes, and its users, who ask when they are told to. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { createPipe } from "../../scheduler/index.ts";
import { schedulerKey } from "../../scheduler/live/secret.ts";
import { createNatsTransport, openShard } from "../../scheduler/nats/index.ts";
import { shardOf } from "../../scheduler/proofs/shard-of.ts";
import { ECHO_REGISTRY } from "../live/support/registries.ts";
import { CHAIN, User } from "../live/support/users.ts";
import { Load, Races, throughput } from "./nats-races.ts";

/** What a shard's process says: once it is ready, and after each window. */
export interface ShardReport {
  readonly perSecond: number;
}

/** Half of them are this shard's. */
const ALL_USERS = 128;
const SIGNED_BEFORE = 24_000;
const ANSWER_BYTES = 400;
const SECRET = new Uint8Array(32).fill(9);

const [servers = "", shard = "", directory = "", names = ""] = process.argv.slice(2);
const report = (perSecond: number): void => void process.send?.({ perSecond } satisfies ShardReport);

const key = schedulerKey(SECRET);
writeFileSync(join(directory, "secret.key"), SECRET, { mode: 0o600 });
const about = { servers, chainId: CHAIN, shard };
const workerData = { ...about, scheduler: key.publicKeyHex, answerBytes: ANSWER_BYTES };
await once(new Worker(new URL("./nats-nodes-thread.ts", import.meta.url), { workerData }), "message");
const users = Array.from({ length: ALL_USERS }, (_, index) => new User(1 + index));
const load = new Load(
  users.filter(({ id }) => shardOf(id, names.split(",")) === shard),
  SIGNED_BEFORE,
);
const joined = await openShard({ servers, shard, name: shard, replicas: 1 });
const pipe = await createPipe({
  directory,
  chainId: CHAIN,
  fleet: { transport: createNatsTransport({ ...about, epoch: joined.epoch, signingKey: key }) },
  registry: ECHO_REGISTRY,
  policy: { kind: "fixed", copies: 3 },
  journal: joined.openJournal,
  limits: { maxWaitingNotices: 65_536 },
  logger: "error",
});
const races = await Races.begin(pipe, load);
process.on("message", ({ windowMs }: { readonly windowMs: number }) => {
  void throughput(() => races.once(), windowMs).then(report);
});
report(0);
