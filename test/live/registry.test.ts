import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createPipe, OpenFailed, type Pipe, type PipeOptions, Registry } from "../../scheduler/index.ts";
import { ECHO_REGISTRY } from "./support/registries.ts";
import { honest, ScriptedNodes, scriptedNode } from "./support/scripted-nodes.ts";
import { CHAIN, User } from "./support/users.ts";

const pipes: Pipe[] = [];
const directories: string[] = [];

afterEach(async () => {
  await Promise.all(pipes.splice(0).map((pipe) => pipe.close()));
  await Promise.all(directories.splice(0).map((directory) => rm(directory, { recursive: true, force: true })));
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-registry-"));
  directories.push(directory);
  return directory;
}

const nodes = [0, 1, 2].map((index) => scriptedNode(index, honest));

/** The first two nodes are listed, each under an operator that it does not know of. */
function listing(bondGwei: number): Registry {
  const [a, b] = nodes.map(({ terms: { id, key, hardware } }, index) => {
    return { id, key, operator: `company-${index}`, region: "known", hardware, bondGwei };
  });
  if (a === undefined || b === undefined) throw new Error("there are three nodes");
  const models = [...ECHO_REGISTRY.models.values()];
  return new Registry({ admission: "listed", offersPerNode: 8, models, roots: [], nodes: [a, b] });
}

async function open(options: Partial<PipeOptions> = {}): Promise<Pipe> {
  const fleet = { transport: new ScriptedNodes(nodes) };
  const pipe = await createPipe({ directory: undefined, chainId: CHAIN, fleet, logger: "silent", ...options });
  pipes.push(pipe);
  return pipe;
}

async function reopen(pipe: Pipe, options: Partial<PipeOptions>): Promise<Pipe> {
  await pipe.close();
  pipes.splice(pipes.indexOf(pipe), 1);
  return open(options);
}

async function linesOf(directory: string, file: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(directory, file), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

test("whom the registry does not list does not join, and the others are who it says", async () => {
  const directory = await temporaryDirectory();
  const pipe = await open({ directory, registry: listing(0) });
  const [vanilla] = (await pipe.quote({ model: "echo", tokensIn: 1, tokensOut: 1, ttlBlocks: 1 })).modes;
  expect(vanilla).toMatchObject({ mode: "vanilla", nodes: 2, operators: 2 });
  await pipe.close();
  const joined = (await linesOf(directory, "registry.jsonl")).filter(({ entry }) => entry === "node");
  expect(joined.map(({ id, operator }) => [id, operator])).toEqual([
    ["node-0", "company-0"],
    ["node-1", "company-1"],
  ]);
});

test("of the package's own, a registry that nobody gave lets nothing made up be offered", async () => {
  const pipe = await open();
  expect((await pipe.statistics()).sizes.nodes).toBe(3);
  expect((await pipe.quote({ model: "echo", tokensIn: 1, tokensOut: 1, ttlBlocks: 1 })).modes).toEqual([]);
  const user = new User(1);
  await pipe.deposit({ account: user.id, amountGwei: 1_000 });
  const outcome = await pipe.submit(user.sign());
  expect(outcome).toMatchObject({ ok: false, problem: { kind: "not-registered", refusal: { model: "echo" } } });
});

test("bonds are told once, and again when the registry says something else", async () => {
  const directory = await temporaryDirectory();
  const ledgerOf = async (pipe: Pipe) => (await pipe.statistics()).ledger;
  const first = await open({ directory, registry: listing(500) });
  expect(await ledgerOf(first)).toMatchObject({ bondedGwei: 1_000, unbondedGwei: 0 });
  // What the chain said since holds, whatever the file says: it is no news.
  await first.bond({ node: "node-0", amountGwei: 100 });
  const second = await reopen(first, { directory, registry: listing(500) });
  expect(await ledgerOf(second)).toMatchObject({ bondedGwei: 1_000, unbondedGwei: 400 });
  const third = await reopen(second, { directory, registry: listing(600) });
  expect(await ledgerOf(third)).toMatchObject({ bondedGwei: 1_600, unbondedGwei: 400 });
  await third.close();
  const told = (await linesOf(directory, "registry.jsonl")).filter(({ entry }) => entry === "models");
  expect(told.map(({ digest }) => digest)).toEqual([listing(500).digest, listing(600).digest]);
  expect(told.map(({ lines }) => lines)).toEqual([listing(500).lines, listing(600).lines]);
});

test("a registry comes from a file, or the scheduler does not start and says what is wrong with it", async () => {
  const path = join(await temporaryDirectory(), "registry.yaml");
  const model = { digest: "00".repeat(32), modes: ["vanilla"], output: "bytes", equivalence: "any" };
  const limits = { inputBytes: 64, tokensIn: 1, tokensOut: 1 };
  const file = { version: 1, admission: "open", offersPerNode: 4, roots: [], nodes: {} };
  await writeFile(path, JSON.stringify({ ...file, models: { echo: { ...model, limits } } }));
  const pipe = await open({ registry: path });
  expect([...pipe.registry.models.keys()]).toEqual(["echo"]);
  const user = new User(1);
  await pipe.deposit({ account: user.id, amountGwei: 1_000 });
  expect(await pipe.submit(user.sign())).toMatchObject({ ok: true });

  await writeFile(path, JSON.stringify({ ...file, models: { echo: { ...model, limits, modes: [] } } }));
  const failed = await open({ registry: path }).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failed).toBeInstanceOf(OpenFailed);
  expect(failed).toMatchObject({ part: "registry", reason: "RegistryError" });
  expect((failed as OpenFailed).message).toContain("line 1, models.echo.modes: must be a value with a length");
});
