import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadToken, tokenCheck } from "../../../scheduler/http/token.ts";

let directory = "";
let path = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pipe-token-"));
  path = join(directory, "producer.token");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("a token is made once, for its owner alone", async () => {
  const token = await loadToken(path);
  expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await loadToken(path)).toBe(token);
  expect(await readFile(path, "utf8")).toBe(`${token}\n`);
});

test("a token that others can read, that is short, or that is none, is refused with what to do", async () => {
  await loadToken(path);
  await chmod(path, 0o640);
  await expect(loadToken(path)).rejects.toThrow(`chmod 600 ${path}`);
  await chmod(path, 0o600);
  for (const text of ["", "short", "with a space in the middle of its many letters", "x".repeat(600)]) {
    await writeFile(path, text);
    await expect(loadToken(path)).rejects.toThrow("holds no token");
  }
  await expect(loadToken(join(directory, "nowhere", "token"))).rejects.toThrow("cannot be written (ENOENT)");
});

test("only the token itself passes", () => {
  const isToken = tokenCheck("a".repeat(40));
  expect(isToken("a".repeat(40))).toBe(true);
  for (const said of ["", "a", "a".repeat(39), "a".repeat(41), "A".repeat(40)]) expect(isToken(said)).toBe(false);
});
