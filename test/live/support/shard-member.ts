import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createPipe, type Pipe } from "../../../scheduler/index.ts";
import type { Shard } from "../../../scheduler/nats/shard/shard.ts";
import { ECHO_REGISTRY } from "./registries.ts";
import { honest, ScriptedNodes, scriptedNode } from "./scripted-nodes.ts";
import { CHAIN } from "./users.ts";

/** A shard's schedulers sign with one key. */
const SECRET = new Uint8Array(32).fill(7);

/** A scheduler of the shard with three honest nodes of its own. Resolves when it leads. */
export async function startMember(directory: string, shard: Shard): Promise<Pipe> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "secret.key"), SECRET, { mode: 0o600 });
  return createPipe({
    directory,
    chainId: CHAIN,
    fleet: { transport: new ScriptedNodes([1, 2, 3].map((index) => scriptedNode(index, honest))) },
    registry: ECHO_REGISTRY,
    journal: shard.openJournal,
    logger: "fatal",
  });
}
