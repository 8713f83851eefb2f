import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { X509Certificate } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { createEmulatorRoot } from "../../scheduler/node/enclave-emulator.ts";
import { WIRE_LIMITS } from "../../scheduler/proofs/wire-limits.ts";
import { loadRegistry, RegistryError } from "../../scheduler/registry/registry-file.ts";
import { REGISTRY_LIMITS } from "../../scheduler/registry/registry-limits.ts";

const root = new URL("../../", import.meta.url);
const page = await readFile(new URL("docs/REGISTRY.md", root), "utf8");
const example = /^```yaml\n(.*?)^```$/ms.exec(page)?.[1] ?? "";

/** The example with the files that it names. AWS's root is not ours to ship: an emulator's stands in, and has to be called one. */
async function load(text: string) {
  const folder = await mkdtemp(join(tmpdir(), "pipe-registry-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const key = "risk-tiny.verification-key.json";
  await copyFile(new URL(`scheduler/node/zkml/models/${key}`, root), join(folder, key));
  const { certificate } = createEmulatorRoot({ nowMs: Date.now() });
  await writeFile(join(folder, "aws-nitro-root.pem"), new X509Certificate(certificate).toString());
  await writeFile(join(folder, "registry.yaml"), text);
  return loadRegistry(join(folder, "registry.yaml"));
}

const emulated = example.replace("aws-nitro-root.pem", "aws-nitro-root.pem\n    emulator: true");

test("the registry of docs/REGISTRY.md is one, with all that it says", async () => {
  const registry = await load(emulated);
  expect([...registry.models.keys()]).toEqual(["risk-small", "risk-tiny", "chat-70b"]);
  expect(registry.nodes.get("alder-1")).toMatchObject({ operator: "alder", bondGwei: 5_000_000_000 });
  const offers = (["vanilla", "zkml"] as const).map((mode) => ({ model: "chat-70b", mode, priceGwei: 1 }));
  const terms = { id: "alder-1", key: "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c" };
  const said = { operator: "somebody else", region: "r", hardware: "h", slots: 1, queueLimit: 0, offers };
  expect(registry.admit({ ...terms, ...said })).toMatchObject({
    ok: true,
    terms: { operator: "alder", offers: [{ mode: "vanilla", equivalence: "cuda-90" }] },
    stripped: [{ mode: "zkml", reason: "mode-not-allowed" }],
  });
});

test("an emulator's root in its place is refused as long as nobody says that it is one", async () => {
  await expect(load(example)).rejects.toThrow(/emulator/);
});

test("what is wrong is told as docs/REGISTRY.md shows it", async () => {
  const wrong = emulated.replace("[vanilla, optimistic, tee]", "[vanila, optimistic, tee]");
  const error = await load(wrong).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(RegistryError);
  expect((error as RegistryError).troubles).toEqual([
    'line 9, models.risk-small.modes.0: must be "vanilla" or "optimistic" or "tee" or "zkml"; it is "vanila"',
  ]);
  expect(page).toContain((error as RegistryError).troubles[0]);
});

test("docs/REGISTRY.md names each limit as it is", () => {
  const numbers = new Set([...page.matchAll(/\b\d[\d,]*\b/g)].map(([text]) => Number(text.replaceAll(",", ""))));
  const { maxModels, maxNodes, maxRoots, maxMeasurements, maxOffersPerNode, maxHardware, maxKeyBytes } =
    REGISTRY_LIMITS;
  for (const limit of [maxModels, maxNodes, maxRoots, maxMeasurements, maxOffersPerNode, maxHardware])
    expect(numbers).toContain(limit);
  expect(page).toContain(`${maxKeyBytes / 1024} KiB`);
  expect(numbers).toContain(WIRE_LIMITS.maxInputBytes);
  expect(page).toContain(`2^${Math.log2(WIRE_LIMITS.maxTokens)} tokens`);
  expect(page).toContain(`2^${Math.log2(REGISTRY_LIMITS.maxBondGwei)}`);
});
