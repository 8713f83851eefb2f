import { expect, test } from "vitest";
import { misuseOf, type SchedulerFlags } from "../../../scheduler/cli/scheduler-flags.ts";

const sensible: SchedulerFlags = {
  directory: "data",
  chain: "my-chain",
  host: "127.0.0.1",
  port: 8420,
  tlsCert: undefined,
  tlsKey: undefined,
  plainHttp: false,
  tokenFile: undefined,
  nats: undefined,
  shard: "main",
  shards: undefined,
  name: "first",
  replicas: 1,
  natsCredentials: undefined,
  natsCa: undefined,
  nodes: 3,
  latency: "none",
  policyFile: undefined,
  registry: undefined,
  pruneJournal: false,
  otlp: undefined,
  logLevel: "info",
  json: false,
};
const tls = { tlsCert: "cert.pem", tlsKey: "key.pem" };

test.each<Partial<SchedulerFlags>>([
  {},
  { host: "::1" },
  { host: "localhost" },
  { host: "127.5.5.5" },
  { host: "0.0.0.0", plainHttp: true },
  { host: "0.0.0.0", ...tls },
  { host: "scheduler.example", ...tls },
  { port: 0, nodes: 32, otlp: "https://collector.example:4318" },
])("takes %j", (flags) => {
  expect(misuseOf({ ...sensible, ...flags })).toBeUndefined();
});

test.each<[Partial<SchedulerFlags>, string]>([
  [{ port: 70_000 }, "--port 70000 is out of range: give 0 to 65535."],
  [{ shards: "one,two" }, "does not name this scheduler's own, main"],
  [{ shards: "main,main" }, "named twice"],
  [{ shards: "main,a.b" }, '"a.b" is no name'],
  [{ shard: "a b" }, "--shard a b is no name"],
  [{ natsCredentials: "x.nk" }, "of no use without --nats"],
  [{ port: -1 }, "--port -1 is out of range"],
  [{ nodes: 0 }, "--nodes 0 is out of range: give 1 to 32."],
  [{ chain: "a b" }, "--chain a b is no name"],
  [{ host: "0.0.0.0" }, "others could read the producer's token from the wire"],
  [{ host: "::" }, "Give --tls-cert and --tls-key, or --plain-http"],
  [{ host: "::ffff:10.0.0.1" }, "others could read"],
  // A name that says nothing of where it leads.
  [{ host: "localhost.example" }, "others could read"],
  [{ tlsCert: "cert.pem" }, "give --tls-cert and --tls-key together."],
  [{ ...tls, plainHttp: true }, "not both"],
  [{ otlp: "collector" }, "--otlp collector is no URL"],
])("refuses %j", (flags, message) => {
  expect(misuseOf({ ...sensible, ...flags })).toContain(message);
});
