import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { replayStepper, runReplay } from "../../scheduler/cli/replay.ts";
import {
  createPipe,
  loadPolicyFile,
  OpenFailed,
  type Pipe,
  type PipeEvent,
  type PipeOptions,
} from "../../scheduler/index.ts";
import { ECHO_REGISTRY } from "./support/registries.ts";
import { type Script, ScriptedNodes, scriptedNode, silent } from "./support/scripted-nodes.ts";
import { CHAIN, User } from "./support/users.ts";

const CHILD = new URL("./workers/policy-child.ts", import.meta.url).pathname;

let folder = "";
let file = "";
let pipe: Pipe | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pipe-policy-"));
  file = join(folder, "pipe.policy.yaml");
});
afterEach(async () => {
  await pipe?.close();
  pipe = undefined;
  await rm(folder, { recursive: true, force: true });
});

function rules(name: string, copies: number): string {
  return `name: ${name}\nrules:\n  - name: all\n    policy: { kind: fixed, copies: ${copies} }\n`;
}

/** As careful programs write: beside it, then in its place. */
async function replaceFile(text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

async function open(script: Script, options: Partial<PipeOptions> = {}) {
  const nodes = new ScriptedNodes([0, 1, 2, 3].map((index) => scriptedNode(index, script)));
  const opened = await createPipe({
    directory: undefined,
    chainId: CHAIN,
    fleet: { transport: nodes },
    registry: ECHO_REGISTRY,
    policyFile: file,
    logger: "silent",
    ...options,
  });
  pipe = opened;
  const events: PipeEvent[] = [];
  void (async () => {
    for await (const event of opened.events()) events.push(event);
  })();
  const user = new User(1);
  await opened.deposit({ account: user.id, amountGwei: 1_000_000 });
  await opened.openBlock({ height: 1, sealAtMs: Date.now() + 60_000 });
  const submit = async (): Promise<string> => {
    const outcome = await opened.submit(user.sign());
    if (!outcome.ok) throw new Error(outcome.problem.advice);
    return outcome.hash;
  };
  const copiesOf = (hash: string): number => nodes.dispatched.filter(({ txHash }) => txHash === hash).length;
  return { opened, nodes, events, submit, copiesOf };
}

async function until(what: () => boolean | Promise<boolean>, ms = 5_000): Promise<void> {
  const endMs = Date.now() + ms;
  while (!(await what())) {
    if (Date.now() > endMs) throw new Error(`not within ${ms} ms: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const nameOf = async (of: Pipe): Promise<string> => (await of.statistics()).policy.name;

test("a changed file is in force for races that open then; those under way end under what they began with", async () => {
  await writeFile(file, rules("one", 1));
  const { opened, nodes, events, submit, copiesOf } = await open(silent);
  const spec = await loadPolicyFile(file);
  expect((await opened.statistics()).policy).toEqual({ name: "one", version: spec.version, origin: file });
  const early = await submit();
  await until(() => copiesOf(early) === 1);
  await replaceFile(rules("three", 3));
  await until(async () => (await nameOf(opened)) === "three");
  const late = await submit();
  await until(() => copiesOf(late) === 3);
  // Its only copy fails: a policy of three would launch more than the one in its place.
  const [copy] = nodes.dispatched.filter(({ txHash }) => txHash === early);
  if (copy === undefined) throw new Error("the early race has no copy");
  nodes.say({ kind: "failed", node: copy.node, copy: copy.copy, reason: "error" });
  await until(() => copiesOf(early) === 2);
  await opened.statistics();
  expect(copiesOf(early)).toBe(2);
  const changes = events.filter(({ kind }) => kind === "policy-changed");
  expect(changes).toEqual([
    { kind: "policy-changed", policy: { name: "three", version: (await loadPolicyFile(file)).version, origin: file } },
  ]);
});

test("a file that cannot be followed is refused once, with its places; the next good one is taken up", async () => {
  await writeFile(file, rules("one", 1));
  const { opened, events } = await open(silent);
  const refusals = () => events.filter(({ kind }) => kind === "policy-refused");
  await replaceFile(rules("bad", 99));
  await until(() => refusals().length > 0);
  const problem = `${file}:4:28: rules.0.policy.copies: must be a whole number from 1 to 16; it is 99`;
  expect(refusals()).toEqual([{ kind: "policy-refused", file, problems: [problem] }]);
  expect(await nameOf(opened)).toBe("one");
  await rm(file);
  await until(() => refusals().length > 1);
  expect(refusals()[1]).toMatchObject({ problems: [`${file}: the file: cannot be read (ENOENT)`] });
  expect(await nameOf(opened)).toBe("one");
  await writeFile(file, rules("two", 2));
  await until(async () => (await nameOf(opened)) === "two");
  // The same in other words is no other policy.
  await replaceFile(`# why\n${rules("two", 2)}`);
  await replaceFile(`# why not\n${rules("two", 2)}`);
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(events.filter(({ kind }) => kind === "policy-changed")).toHaveLength(1);
});

test("a program's policy stays in force until the file changes", async () => {
  await writeFile(file, rules("one", 1));
  const { opened } = await open(silent);
  await opened.setPolicy({ kind: "hedge", delayMs: 300, maxCopies: 2 });
  expect((await opened.statistics()).policy).toMatchObject({ name: "hedge:300:2", origin: undefined });
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(await nameOf(opened)).toBe("hedge:300:2");
  await replaceFile(rules("four", 4));
  await until(async () => (await nameOf(opened)) === "four");
});

test("the file is followed also when its directory is put in place anew", { timeout: 15_000 }, async () => {
  const directory = join(folder, "mounted");
  await mkdir(directory);
  file = join(directory, "pipe.policy.yaml");
  await writeFile(file, rules("one", 1));
  const { opened } = await open(silent);
  await rename(directory, join(folder, "old"));
  await mkdir(directory);
  await writeFile(file, rules("two", 2));
  await until(async () => (await nameOf(opened)) === "two", 10_000);
  await replaceFile(rules("three", 3));
  await until(async () => (await nameOf(opened)) === "three", 10_000);
});

test("a directory goes on under the file's policy, and nothing is journalled when that is in force already", async () => {
  await writeFile(file, rules("one", 1));
  const directory = join(folder, "records");
  for (let start = 0; start < 2; start++) {
    const { opened } = await open(silent, { directory });
    expect(await nameOf(opened)).toBe("one");
    await opened.close();
  }
  const journal = await readFile(join(directory, "journal", "segment-000001.jsonl"), "utf8");
  expect(journal).not.toContain('"policy-changed"');
});

test("nothing is begun with a file that cannot be followed, or with two policies", async () => {
  await writeFile(file, "name: x\nrule: []\n");
  const directory = join(folder, "records");
  const problems = [
    `${file}:2:1: rule: is not known ("rule"); did you mean rules? Known here: name, placement, budget, rules`,
    `${file}: rules: is missing; it is a list of up to 64 sections: in order: a call takes the first whose conditions all hold`,
  ];
  for (const where of [directory, undefined]) {
    const failure = await open(silent, { directory: where }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OpenFailed);
    expect(failure).toMatchObject({ part: "policy", message: problems.join("\n") });
  }
  const both = open(silent, { policy: { kind: "fixed", copies: 1 } });
  await expect(both).rejects.toThrow(RangeError);
});

/** A process that starts on a machine with much else to do. */
const STARTED_MS = 60_000;

/** Starts a scheduler, waits until it tells what is in force as often as said, and kills it. Its lines, and its errors. */
async function lifeOf(directory: string, lines: number, meanwhile?: () => Promise<void>) {
  const child = spawn(process.execPath, [CHILD, directory, file], { stdio: ["ignore", "pipe", "pipe"] });
  const told: string[] = [];
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => told.push(...text.split("\n").filter(Boolean)));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = new Promise((resolve) => child.once("close", resolve));
  try {
    await until(() => told.length >= 1 || child.exitCode !== null, STARTED_MS);
    await meanwhile?.();
    await until(() => told.length >= lines || child.exitCode !== null, STARTED_MS);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
  return { told, errors };
}

test("killed, it goes on under the journalled policy unless the file says something else", {
  timeout: 200_000,
}, async () => {
  const directory = join(folder, "records");
  await writeFile(file, rules("one", 1));
  const versions = { one: (await loadPolicyFile(file)).version, two: "", three: "" };
  const first = await lifeOf(directory, 2, () => replaceFile(rules("two", 2)));
  versions.two = (await loadPolicyFile(file)).version ?? "";
  expect(first.told, first.errors).toEqual([`one ${versions.one}`, `two ${versions.two}`]);
  // A file that cannot be followed does not keep a scheduler from going on.
  await writeFile(file, "name: x\n");
  expect((await lifeOf(directory, 1)).told).toEqual([`two ${versions.two}`]);
  await writeFile(file, rules("three", 3));
  versions.three = (await loadPolicyFile(file)).version ?? "";
  expect((await lifeOf(directory, 1)).told).toEqual([`three ${versions.three}`]);

  const journal = await readFile(join(directory, "journal", "segment-000001.jsonl"), "utf8");
  const changes = journal
    .split("\n")
    .flatMap((line) => line.match(/"policy-changed".*?"version":"([0-9a-f]{64})"/)?.[1] ?? []);
  expect(changes).toEqual([versions.two, versions.three]);
  const header = JSON.parse(journal.split("\n", 1)[0] ?? "") as { config?: unknown };
  expect(JSON.stringify(header)).toContain(`"version":"${versions.one}"`);
  const write = (): void => undefined;
  expect(await runReplay({ directory, json: true, stepper: replayStepper, program: "test", write })).toBe(0);
});
