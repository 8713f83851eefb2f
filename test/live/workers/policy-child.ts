import { setTimeout as sleep } from "node:timers/promises";
import { createPipe, defaultFleet } from "../../../scheduler/index.ts";

/**
 * A scheduler that follows a policy file, in a process that is there to be killed. Arguments: its directory and the file. It
 * tells which policy is in force, at the start and whenever that changes.
 */
const [directory, policyFile] = process.argv.slice(2);
if (directory === undefined || policyFile === undefined) throw new Error("give a directory and a policy file");
const [node] = defaultFleet({ count: 2, seedHex: "00".repeat(32), latency: "none", faults: "none" });
if (node === undefined) throw new Error("a fleet of two has a first node");
const pipe = await createPipe({
  directory,
  chainId: "policy-child",
  fleet: { nodes: [node] },
  policyFile,
  logger: "error",
});
let told = "";
for (;;) {
  const { name, version } = (await pipe.statistics()).policy;
  if (`${name} ${version}` !== told) {
    told = `${name} ${version}`;
    console.log(told);
  }
  await sleep(20);
}
