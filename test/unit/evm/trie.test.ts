import { Common, Mainnet } from "@ethereumjs/common";
import { MerkleStateManager } from "@ethereumjs/statemanager";
import { Account, Address } from "@ethereumjs/util";
import fc from "fast-check";
import { keccak256 as reference, toHex } from "viem";
import { describe, expect, it } from "vitest";
import { keccak256 } from "../../../mempool/evm/keccak.ts";
import { RecordingState } from "../../../mempool/evm/recording-state.ts";
import { Trie } from "../../../mempool/evm/trie.ts";
import { World } from "../../../mempool/evm/world.ts";

/** Other implementations say what is right: viem's hash, and the library's state on its own trie. */
describe("Keccak-256", () => {
  it("is that of another implementation for every length around its blocks", () => {
    for (let length = 0; length < 420; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff);
      expect(toHex(keccak256(bytes))).toBe(reference(bytes));
    }
  });
});

describe("a trie", () => {
  it("has one root for one content, however it came to it, and keeps what it was", () => {
    const operation = fc.tuple(fc.nat(40), fc.nat(3), fc.boolean());
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const content = new Map<number, Uint8Array>();
        let trie = Trie.empty<Uint8Array>((value) => value);
        for (const [key, value, removes] of operations) {
          const before = toHex(trie.rootHash);
          const old = trie;
          // Many keys begin alike, so that branches come and go at all depths.
          const place = keccak256(Uint8Array.of(key)).fill(0, 0, key % 3 === 0 ? 20 : 1);
          trie = removes ? trie.without(place) : trie.with(place, new Uint8Array(1 + 20 * value).fill(key + 1));
          if (removes) content.delete(key);
          else content.set(key, new Uint8Array(1 + 20 * value).fill(key + 1));
          expect(toHex(old.rootHash)).toBe(before);
        }
        let anew = Trie.empty<Uint8Array>((value) => value);
        for (const [key, value] of [...content].reverse()) {
          anew = anew.with(keccak256(Uint8Array.of(key)).fill(0, 0, key % 3 === 0 ? 20 : 1), value);
        }
        expect(toHex(trie.rootHash)).toBe(toHex(anew.rootHash));
        expect([...trie.entries()].length).toBe(content.size);
      }),
      { numRuns: 60 },
    );
  });
});

type Step =
  | { readonly do: "put"; readonly who: number; readonly nonce: bigint; readonly balance: bigint }
  | { readonly do: "store"; readonly who: number; readonly slot: number; readonly value: number }
  | { readonly do: "code"; readonly who: number; readonly length: number }
  | { readonly do: "delete"; readonly who: number }
  | { readonly do: "checkpoint" | "commit" | "revert" };

const who = fc.nat(6);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("put" as const), who, nonce: fc.bigInt(0n, 9n), balance: fc.bigInt(1n, 2n ** 90n) }),
  fc.record({ do: fc.constant("store" as const), who, slot: fc.nat(5), value: fc.nat(3) }),
  fc.record({ do: fc.constant("code" as const), who, length: fc.nat(40) }),
  fc.record({ do: fc.constant("delete" as const), who }),
  fc.record({ do: fc.constantFrom("checkpoint" as const, "commit" as const, "revert" as const) }),
);

describe("the state of a run", () => {
  it("comes to the roots of the library's own state, through checkpoints and blocks", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { maxLength: 25 }), { minLength: 1, maxLength: 4 }), async (blocks) => {
        const theirs = new MerkleStateManager({ common: new Common({ chain: Mainnet }) });
        let world = World.EMPTY;
        for (const steps of blocks) {
          const ours = new RecordingState(world);
          let open = 0;
          for (const one of steps) open = await take(one, open, [ours, theirs]);
          for (; open > 0; open--) for (const state of [ours, theirs]) await state.commit();
          world = world.with(ours.diff());
          expect(toHex(world.root)).toBe(toHex(await theirs.getStateRoot()));
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

type Marker = Extract<Step, { readonly do: "checkpoint" | "commit" | "revert" }>;

function isMarker(one: Step): one is Marker {
  return one.do === "checkpoint" || one.do === "commit" || one.do === "revert";
}

async function take(
  one: Step,
  open: number,
  states: readonly (RecordingState | MerkleStateManager)[],
): Promise<number> {
  if (open === 0 && isMarker(one) && one.do !== "checkpoint") return open;
  for (const state of states) {
    if (isMarker(one)) {
      await state[one.do]();
      continue;
    }
    const address = new Address(new Uint8Array(20).fill(one.who + 1));
    const account = await state.getAccount(address);
    if (one.do === "delete") {
      // The library forgets a contract's slots only with its account's next life.
      if (account !== undefined && !account.isContract()) await state.deleteAccount(address);
    } else if (one.do === "put") {
      const next = account ?? new Account();
      next.nonce = one.nonce;
      next.balance = one.balance;
      await state.putAccount(address, next);
    } else if (account !== undefined) {
      if (one.do === "code") await state.putCode(address, new Uint8Array(one.length).fill(7));
      else if (account.isContract())
        await state.putStorage(address, new Uint8Array(32).fill(one.slot), Uint8Array.of(0, one.value));
    }
  }
  if (one.do === "checkpoint") return open + 1;
  return one.do === "commit" || one.do === "revert" ? open - 1 : open;
}
