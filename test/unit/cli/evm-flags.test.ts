import { expect, test } from "vitest";
import { type EvmNumbers, misuseOf } from "../../../scheduler/cli/command-evm.ts";

const sensible: EvmNumbers & { readonly intervalMs: number } = {
  port: 8545,
  chainId: 1_337,
  nodes: 6,
  accounts: 10,
  intervalMs: 500,
};

test.each<[Partial<typeof sensible>, string | undefined]>([
  [{}, undefined],
  [{ port: 0, chainId: 1, nodes: 3, accounts: 1, intervalMs: 200 }, undefined],
  [{ port: 65_535, nodes: 64, accounts: 100, intervalMs: 60_000 }, undefined],
  [{ port: -1 }, "--port -1 is out of range: give 0 to 65535."],
  [{ port: 65_536 }, "--port 65536 is out of range: give 0 to 65535."],
  [{ chainId: 0 }, "--chain-id 0: give a positive number."],
  [{ nodes: 2 }, "--nodes 2 is out of range: give 3 to 64."],
  [{ nodes: 65 }, "--nodes 65 is out of range: give 3 to 64."],
  [{ accounts: 0 }, "--accounts 0 is out of range: give 1 to 100."],
  [{ accounts: 101 }, "--accounts 101 is out of range: give 1 to 100."],
  [{ intervalMs: 199 }, "--interval 199 is out of range: give 200 to 60000."],
  [{ intervalMs: 60_001 }, "--interval 60001 is out of range: give 200 to 60000."],
])("of %j it is said: %s", (given, misuse) => {
  const all = { ...sensible, ...given };
  expect(misuseOf(all, all.intervalMs)).toBe(misuse);
});
