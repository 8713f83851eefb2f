import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ChainIndex, DEFAULT_KEPT_BLOCKS } from "../../../scheduler/evm/rpc/chain-index.ts";
import { Filters } from "../../../scheduler/evm/rpc/filters.ts";
import { DEFAULT_RPC_LIMITS } from "../../../scheduler/evm/rpc/limits.ts";
import { rpcMethods } from "../../../scheduler/evm/rpc/methods.ts";
import { Subscriptions } from "../../../scheduler/evm/rpc/subscriptions.ts";
import { blockAfter, FakeBackend } from "../../support/evm-rpc.ts";

const PAGE = readFileSync(new URL("../../../docs/EVM-RPC.md", import.meta.url), "utf8");

test("the page lists the methods that there are, and no others", () => {
  const index = new ChainIndex(blockAfter(undefined));
  const backend = new FakeBackend(index);
  const ask = <T>(question: () => Promise<T>) => question();
  const face = { backend, index, limits: DEFAULT_RPC_LIMITS, ask, send: ask };
  const methods = Object.keys(rpcMethods(face, new Filters(face, () => 0), new Subscriptions(face)));
  const listed = /## Methods\n([\s\S]*?)\nThey take/.exec(PAGE)?.[1] ?? "";
  const named = [...listed.matchAll(/`((?:eth|net|web3|rpc|pipe)_\w+)`/g)].map(([, name]) => name);
  expect(named.toSorted()).toEqual(methods.toSorted());
});

test("the page lists every limit with its value", () => {
  const rows = [...PAGE.matchAll(/^\| `(\w+)` \| ([\d,]+) /gm)];
  const listed = Object.fromEntries(rows.map(([, name, value]) => [name, Number(value?.replaceAll(",", ""))]));
  expect(listed).toEqual(DEFAULT_RPC_LIMITS);
  expect(PAGE).toContain(`The latest ${DEFAULT_KEPT_BLOCKS.toLocaleString("en")} are kept`);
});
