import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const MAIN = join(root, "scheduler", "cli", "main.ts");
const run = promisify(execFile);

let page = "";
let place = "";
beforeAll(async () => {
  page = await readFile(join(root, "docs", "TUNING.md"), "utf8");
  await mkdir(join(root, "out"), { recursive: true });
  place = await mkdtemp(join(root, "out", "tuning-"));
  for (const [, name, text] of page.matchAll(/^```yaml (\S+)\n(.*?)^```$/gms)) {
    await writeFile(join(place, name as string), text as string);
  }
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** The page's commands, in order; what it shows with `npx pipe` is run from the source. */
function commands(): string[][] {
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, text]) => (text as string).trim().split("\n"));
  return blocks.map((line) => line.split(" "));
}

async function pipe(...args: readonly string[]): Promise<string> {
  return (await run(process.execPath, [MAIN, ...args], { cwd: place, timeout: 120_000 })).stdout;
}

/** The live run of the page, shorter, with the page's change of policy while it goes on. */
async function liveRun(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [MAIN, "demo", ...args], { cwd: place, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let changed: Promise<void> | undefined;
  child.stdout.resume();
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    if (said.includes("block   5/")) changed ??= takeUp();
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  await changed;
  expect(code, said).toBe(0);
  return said;
}

async function takeUp(): Promise<void> {
  for (const [command, ...args] of commands()) {
    if (command === "cp" || command === "mv") await run(command, args, { cwd: place });
  }
}

test("the commands of docs/TUNING.md do what it says, from a live run to another policy in force", {
  timeout: 400_000,
}, async () => {
  const checked = await pipe("policy", "check", "pipe.policy.yaml");
  expect(page).toContain(checked);
  const start = commands().find(([command]) => command === "npm") ?? [];
  const flags = start
    .slice(start.indexOf("--") + 1)
    .map((flag, index, all) => (all[index - 1] === "--blocks" ? "20" : flag));
  const told = (await liveRun(flags)).split("\n").filter((line) => line.startsWith("policy "));
  expect(told).toHaveLength(1);
  expect(page).toContain(told[0]);

  for (const [, program, ...args] of commands().filter(([first]) => first === "npx")) {
    expect(program).toBe("pipe");
    // It is searched for minutes; its own tests run it.
    if (args[0] === "tune") continue;
    const output = await pipe(
      ...args,
      ...(args.includes("out/run") && args[1] !== "explain" ? ["--replications", "3"] : []),
    );
    if (args[1] === "check" && args[2] === "measured.policy.yaml")
      expect(output).toContain("ok. Policy measured, version 265959dd1520");
    if (args[1] === "explain") expect(output).toContain("If nobody answers:");
    if (args[1] === "replay") expect(output).toContain("jobs decided under rules patient, then rules measured.");
    if (args[1] === "diff") expect(output).toContain("A is recorded, B is measured.policy.yaml.");
  }
  expect(await pipe("replay", "out/run")).toContain("SAME: identical commands");
});

test("the refusal that docs/TUNING.md shows is the one that comes", { timeout: 60_000 }, async () => {
  const good = await readFile(join(place, "measured.policy.yaml"), "utf8");
  await writeFile(join(place, "wrong.yaml"), good.replace("maxCopies: 2", "maxCopies: 99"));
  const refused = run(process.execPath, [MAIN, "policy", "check", "wrong.yaml"], { cwd: place });
  const { code, stderr } = (await refused.catch((error: unknown) => error)) as { code: number; stderr: string };
  expect(code).toBe(2);
  expect(page).toContain(`  ${stderr.replace("wrong.yaml", "pipe.policy.yaml")}`);
});
