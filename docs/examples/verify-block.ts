import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Receipt, type RegistryEntry, RegistryView, verifyBlock } from "pipe-scheduler";

/**
 * What a validator does, without any model: reads a scheduler's registry, and checks each block by the proofs in its receipts.
 * `node verify-block.ts DIRECTORY KEY`, where KEY is the scheduler's public key, known from elsewhere.
 */
const [directory = ".", schedulerKey = ""] = process.argv.slice(2);

async function* lines(file: string): AsyncGenerator<unknown> {
  for await (const line of createInterface({ input: createReadStream(join(directory, file)) })) yield JSON.parse(line);
}

const registry = new RegistryView();
for await (const entry of lines("registry.jsonl")) {
  const problem = registry.add(entry as RegistryEntry);
  if (problem !== undefined) console.log("registry:", problem);
}

const receipts = new Map<string, { receipt: Receipt }[]>();
for await (const line of lines("receipts.jsonl")) {
  const { block, receipt } = line as { block: string; receipt: Receipt };
  const known = receipts.get(block);
  if (known === undefined) receipts.set(block, [{ receipt }]);
  else known.push({ receipt });
}

for await (const line of lines("blocks.jsonl")) {
  const { entry, header, block, signature } = line as { entry: string } & Parameters<typeof verifyBlock>[0]["block"];
  if (entry !== "sealed") continue;
  const findings = verifyBlock({
    block: { header, block, signature },
    receipts: receipts.get(block) ?? [],
    registry,
    schedulerKey,
  });
  console.log(
    `block ${header.height}: ${findings.length === 0 ? "valid" : findings.map(({ message }) => message).join("; ")}`,
  );
}
