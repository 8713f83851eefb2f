import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import { createPipe, type Pipe } from "../../../scheduler/index.ts";
import { createNatsTransport } from "../../../scheduler/nats/index.ts";
import { Subjects } from "../../../scheduler/nats/subjects.ts";
import { freePort, NatsServer } from "../../support/nats-server.ts";
import { SCHEDULER, SHARD } from "../support/nats-fleet.ts";
import { ECHO_REGISTRY } from "../support/registries.ts";
import { eventually } from "../support/scheduler-process.ts";
import { CHAIN, untilState, User } from "../support/users.ts";

/** A node that does not read: the broker cuts it off, the others race on, and what it says when it wakes up is late. */

const MAIN = new URL("../../../scheduler/cli/main.ts", import.meta.url).pathname;

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end().catch(() => undefined);
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-slow-"));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A node as its operator starts it. Each run of its model leaves a line in a file, and answers once it may. */
class NodeProcess {
  readonly #child: ChildProcess;
  readonly #folder: string;

  static async start(id: string, keyByte: number, server: NatsServer): Promise<NodeProcess> {
    const folder = await temporaryDirectory();
    const key = keyByte.toString(16).padStart(2, "0").repeat(32);
    await writeFile(join(folder, "node.key"), key, { mode: 0o600 });
    await writeFile(join(folder, "runs"), "");
    const lines = [
      ...[`id: ${id}`, `operator: ${id}`, `region: ${id}`, "hardware: h", "slots: 4", "queueLimit: 16"],
      ...["key: node.key", `chain: ${CHAIN}`, `shard: ${SHARD}`, `schedulers: ["${SCHEDULER.publicKeyHex}"]`],
      ...[`servers: ["${server.url}"]`, "models:", "  - model: echo", "    priceGwei: { vanilla: 10 }"],
      '    backend: { kind: exec, command: [sh, -c, "echo run >> runs; until [ -e go ]; do sleep 0.05; done; cat"] }',
    ];
    await writeFile(join(folder, "pipe.node.yaml"), `${lines.join("\n")}\n`);
    return new NodeProcess(folder);
  }

  private constructor(folder: string) {
    this.#folder = folder;
    this.#child = spawn(process.execPath, [MAIN, "node", "run", join(folder, "pipe.node.yaml")], { stdio: "ignore" });
    ends.push(async () => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
      const gone = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await gone;
    });
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(name);
  }

  /** Its model answers from now on. */
  async mayAnswer(): Promise<void> {
    await writeFile(join(this.#folder, "go"), "");
  }

  /** How often its model has begun. */
  async runs(): Promise<number> {
    return (await readFile(join(this.#folder, "runs"), "utf8")).split("\n").length - 1;
  }
}

async function untilNodes(pipe: Pipe, count: number): Promise<void> {
  await eventually(`${count} nodes are there`, async () =>
    (await pipe.statistics()).sizes.nodes === count ? true : undefined,
  );
}

async function submit(pipe: Pipe, user: User): Promise<string> {
  const outcome = await pipe.submit(user.sign());
  if (!outcome.ok) throw new Error(JSON.stringify(outcome));
  return outcome.hash;
}

/** Clients that the broker has cut off because they did not read. */
async function cutOff(monitor: string): Promise<number> {
  const statistics = (await (await fetch(`${monitor}/varz`)).json()) as { readonly slow_consumers: number };
  return statistics.slow_consumers;
}

test("P1, P3: a node that does not read is cut off, loses its race, and comes back with answers that are worth nothing", {
  timeout: 150_000,
}, async () => {
  const monitor = await freePort();
  const limits = ["max_payload: 256KB", "max_pending: 512KB", 'write_deadline: "1s"'];
  const server = await NatsServer.start([`http: "127.0.0.1:${monitor}"`, ...limits].join("\n"));
  ends.push(() => server.end());
  const about = { chainId: CHAIN, shard: SHARD, epoch: 1, signingKey: SCHEDULER };
  const pipe = await createPipe({
    directory: undefined,
    chainId: CHAIN,
    fleet: { transport: createNatsTransport({ servers: server.url, ...about }) },
    registry: ECHO_REGISTRY,
    policy: { kind: "fixed", copies: 2 },
    logger: "silent",
  });
  ends.push(() => pipe.close());
  const [slow, well] = [await NodeProcess.start("slow", 21, server), await NodeProcess.start("well", 22, server)];
  await untilNodes(pipe, 2);
  const user = new User(7);
  await pipe.deposit({ account: user.id, amountGwei: 1_000_000 });
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 120_000 });

  const raced = await submit(pipe, user);
  const begun = async () => [await slow.runs(), await well.runs()];
  await eventually("both compute", async () => ((await begun()).join() === "1,1" ? true : undefined));
  // Its answer is ready, and it does not say it.
  slow.signal("SIGSTOP");
  await slow.mayAnswer();

  // More for it than its socket and the broker's limit hold.
  const other = await connect({ servers: server.url });
  ends.push(() => other.close());
  const subject = new Subjects(SHARD).down("slow", "sealed");
  const junk = new Uint8Array(128 * 1024);
  await eventually("the broker cuts it off", async () => {
    for (let i = 0; i < 50; i++) other.publish(subject, junk);
    await other.flush();
    return (await cutOff(`http://127.0.0.1:${monitor}`)) > 0 ? true : undefined;
  });
  await untilNodes(pipe, 1);
  await well.mayAnswer();
  await untilState(pipe, raced, "ready");
  const alone = await submit(pipe, user);
  await untilState(pipe, alone, "ready");
  const decided = await pipe.status(raced);

  slow.signal("SIGCONT");
  let races = 2;
  await eventually("it takes part again", async () => {
    races += 1;
    await untilState(pipe, await submit(pipe, user), "ready");
    return (await slow.runs()) > 1 ? true : undefined;
  });
  expect(await pipe.status(raced)).toEqual(decided);

  const sealed = await pipe.seal({ height: 1, maxTransactions: 1_000, order: "gas" });
  if (!sealed.ok) throw new Error(JSON.stringify(sealed));
  await pipe.committed(1);
  const receipts = (await pipe.receipts(1))?.receipts ?? [];
  const winners = new Map(receipts.map(({ receipt }) => [receipt.txHash, receipt.node]));
  expect([winners.get(raced), winners.get(alone)]).toEqual(["well", "well"]);
  expect((await pipe.statistics()).counters).toMatchObject({ racesOpened: races, racesDecided: races });
});
