import { encodeFunctionData, hexToBytes, toHex } from "viem";
import { beforeAll, describe, expect, it } from "vitest";
import { DEPOSIT_ADDRESS, depositCode, depositOf } from "../../../mempool/evm/deposit.ts";
import { parseTransaction } from "../../../mempool/evm/transaction.ts";
import {
  addressOf,
  ANY_TIME,
  asking,
  bytesOf,
  CHAIN_ID,
  calldata,
  COMPILING,
  ETHER,
  genesisOf,
  GWEI,
  NO_RESULTS,
  newChain,
  senderAddress,
  SENDERS,
  transaction,
} from "../../support/evm-chain.ts";
import { libraryContracts } from "../../support/solidity.ts";

beforeAll(async () => {
  await newChain();
}, COMPILING);

describe("a genesis", () => {
  it("has contracts with storage, and the deposit contract, whose event can be read", async () => {
    const { alloc } = genesisOf();
    const slot = "0".repeat(64);
    const withCode = {
      address: `0x${"aa".repeat(20)}`,
      balanceWei: 7n,
      code: Uint8Array.of(0),
      storage: [[slot, `${"0".repeat(62)}2a`]],
    } as const;
    const deposit = { address: DEPOSIT_ADDRESS, balanceWei: 0n, code: bytesOf(depositCode()) };
    const chain = await newChain({ alloc: [...alloc, withCode, deposit] });
    expect([...chain.storage(withCode.address, slot)]).toEqual([0x2a]);
    expect(chain.account(withCode.address)).toMatchObject({ nonce: 1, balance: 7n });
    const abi = libraryContracts()["PipeDeposit"]?.abi ?? [];
    const data = encodeFunctionData({ abi: [...abi], functionName: "deposit" } as Parameters<
      typeof encodeFunctionData
    >[0]);
    await chain.begin(chain.nextEnvironment(2_000));
    const tx = await transaction({ to: DEPOSIT_ADDRESS, data, value: 3n * GWEI });
    expect(await chain.add(tx, NO_RESULTS, ANY_TIME)).toMatchObject({ kind: "included" });
    const { receipts } = await chain.seal(new Uint8Array(32));
    const [log] = receipts[0]?.logs ?? [];
    if (log === undefined) throw new Error("there is no log");
    const hex = { ...log, topics: log.topics.map((topic) => `0x${topic}`), data: toHex(log.data) };
    expect(depositOf(hex)).toEqual({ account: senderAddress(0), amountGwei: 3 });
    expect(chain.account(DEPOSIT_ADDRESS).balance).toBe(3n * GWEI);
  });

  it("is another chain's with another account, another price or another name of the network", async () => {
    const hashes = await Promise.all(
      [{}, { gasLimit: 50_000_000n }, { timestamp: 1_001 }, { alloc: [] }, { coinbase: senderAddress(1) }].map(
        async (more) => (await newChain(more)).head.hash,
      ),
    );
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it.each(["paris", "shanghai", "cancun", "prague"] as const)("may stand on %s", async (hardfork) => {
    const chain = await newChain({ hardfork });
    await chain.begin(chain.nextEnvironment(2_000));
    const tx = await transaction({ to: senderAddress(1), value: ETHER });
    expect(await chain.add(tx, NO_RESULTS, ANY_TIME)).toMatchObject({ kind: "included" });
    expect((await chain.seal(new Uint8Array(32))).head.gasUsed).toBe(21_000n);
  });
});

describe("a delegation (EIP-7702)", () => {
  it("lets an account run a contract's code, on its own storage, and is seen by who reads the account", async () => {
    const chain = await newChain();
    const [, authority] = SENDERS;
    if (authority === undefined) throw new Error("there are senders");
    const authorization = await authority.signAuthorization({
      contractAddress: addressOf("ChainProbe"),
      chainId: Number(CHAIN_ID),
      nonce: 0,
    });
    const raw = await SENDERS[0]?.signTransaction({
      type: "eip7702",
      chainId: Number(CHAIN_ID),
      nonce: 0,
      to: authority.address,
      data: calldata("ChainProbe", "write", [5n, 6n]),
      gas: 500_000n,
      maxFeePerGas: 10n * GWEI,
      maxPriorityFeePerGas: GWEI,
      authorizationList: [authorization],
    });
    const parsed = parseTransaction(hexToBytes(raw ?? "0x"), { chainId: CHAIN_ID });
    if (!parsed.ok) throw new Error(parsed.problem.message);
    const run = await chain.preExecute(parsed.transaction, NO_RESULTS, chain.nextEnvironment(2_000));
    expect(run).toMatchObject({ kind: "completed", reverted: false });
    expect(run.kind === "completed" && run.readSet).toContain(`a:${senderAddress(1)}`);
    await chain.begin(chain.nextEnvironment(2_000));
    expect(await chain.add(parsed.transaction, NO_RESULTS, ANY_TIME)).toMatchObject({ kind: "included" });
    // An account that delegates still sends.
    const own = await transaction({ from: 1, nonce: 1, to: senderAddress(2), value: 1n });
    expect(await chain.add(own, NO_RESULTS, ANY_TIME)).toMatchObject({ kind: "included" });
    const { receipts, changedKeys } = await chain.seal(new Uint8Array(32));
    expect(receipts[0]?.logs[0]?.address).toBe(senderAddress(1));
    expect(changedKeys.filter((key) => key.startsWith(`s:${senderAddress(1)}:`))).toHaveLength(1);
    expect(toHex(chain.code(senderAddress(1)))).toBe(`0xef0100${addressOf("ChainProbe").slice(2)}`);
  });

  it("does not hinder that a contract refuses to be a sender", async () => {
    const chain = await newChain({
      alloc: [
        ...genesisOf().alloc.slice(1),
        { address: senderAddress(0), balanceWei: ETHER, code: Uint8Array.of(0), nonce: 0 },
      ],
    });
    await chain.begin(chain.nextEnvironment(2_000));
    const added = await chain.add(
      await asking("ChainProbe", "write", [1n, 1n], { gas: 100_000n }),
      NO_RESULTS,
      ANY_TIME,
    );
    expect(added).toMatchObject({ kind: "invalid", reason: "sender-is-contract" });
  });
});
