import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULTS } from "../../../policies/defaults.ts";
import { POLICY_KINDS, problemOfParameters } from "../../../policies/parameters.ts";
import { problemOf } from "../../../policies/policy.ts";
import { formatPolicy, parsePolicy } from "../../../policies/short-form.ts";
import { peerPolicies } from "../../support/arbitraries.ts";

const KINDS = Object.keys(POLICY_KINDS) as (keyof typeof POLICY_KINDS)[];

describe("a policy on the command line", () => {
  it("is read as what it says", () => {
    expect(parsePolicy("fixed:2")).toEqual({ kind: "fixed", copies: 2 });
    expect(parsePolicy("hedge:1500:3")).toEqual({ kind: "hedge", delayMs: 1500, maxCopies: 3 });
    expect(parsePolicy("finagle:maxExtraLoad=0.05:highestTrackableMs=60000")).toEqual({
      ...DEFAULTS.finagle,
      maxExtraLoad: 0.05,
      highestTrackableMs: 60_000,
    });
    expect(parsePolicy("cassandra:retry=MIN(99p,50ms)")).toMatchObject({ retry: "MIN(99p,50ms)", timeoutMs: 5_000 });
    expect(parsePolicy("grpc-hedging:pushbackMs=none")).toEqual(DEFAULTS["grpc-hedging"]);
  });

  it.each(KINDS.filter((kind) => kind !== "fixed" && kind !== "hedge"))(
    "%s alone is the rule as it is documented, and is written so again",
    (kind) => {
      expect(parsePolicy(kind)).toEqual(DEFAULTS[kind]);
      expect(formatPolicy(DEFAULTS[kind])).toBe(kind);
    },
  );

  it("takes the keys of one form of a policy that has several, and none of another", () => {
    expect(parsePolicy("single-r:delayMs=3110:probability=0.53")).toEqual({
      kind: "single-r",
      delayMs: 3_110,
      probability: 0.53,
    });
    expect(parsePolicy("single-r:budget=0.02:deadlineMs=4000")).toEqual({
      kind: "single-r",
      budget: 0.02,
      deadlineMs: 4_000,
    });
    expect(() => parsePolicy("single-r:delayMs=3")).toThrow(
      "single-r takes {delayMs, probability} or {budget} or {budget, deadlineMs}",
    );
  });

  it.each([
    "fixed:1",
    "fixed:16",
    "hedge:1:1",
    "hedge:60000:16",
    "finagle:maxExtraLoad=0.05",
    "cassandra:retry=ALWAYS",
    "deadline:target=0.999:withinBlocks=2",
    "deadline:sealGwei=5000",
    "deadline:sealGwei=fee:lossPerBlock=0.02:workGweiPerS=0.5",
  ])("is written again as it was read: %s", (text) => {
    expect(formatPolicy(parsePolicy(text))).toBe(text);
  });

  it("is read again as it was written, whatever its parameters", () => {
    fc.assert(
      fc.property(peerPolicies, (policy) => {
        expect(parsePolicy(formatPolicy(policy))).toEqual(policy);
      }),
    );
  });

  it.each(
    "|fixed|fixed:|fixed:0|fixed:17|fixed:1.5|fixed:-1|fixed:2:3|hedge|hedge:100|hedge:0:2|hedge:100:17|hedge:1e3:2|hedge:1:2:3|learn:1|toString".split(
      "|",
    ),
  )("is refused with what would be right: %j", (text) => {
    expect(() => parsePolicy(text)).toThrow(RangeError);
    expect(() => parsePolicy(text)).toThrow(`"${text}" is no policy. Write fixed:COPIES`);
  });

  it.each([
    ["deadline:sealGwei=-1", "sealGwei must be a number from 0 to 1000000000000000, or fee"],
    ["deadline:sealGwei=5:lossPerBlock=2", "lossPerBlock must be a number from 0 to 1"],
    ["deadline:target=0.9:sealGwei=5", "sealGwei is not given together with target"],
    ["deadline:workGweiPerS=5", "workGweiPerS needs sealGwei"],
    ["finagle:load=1", '"load" is no key of finagle; finagle has maxExtraLoad, highestTrackableMs'],
    ["finagle:toString=1", '"toString" is no key of finagle'],
    ["finagle:maxExtraLoad", "maxExtraLoad has no value; write maxExtraLoad=VALUE"],
    ["finagle:maxExtraLoad=1", "maxExtraLoad must be a number above 0, up to 0.99"],
    ["envoy:numRetries=1:numRetries=2", "numRetries is given twice"],
    ["envoy:numRetries=1.5", "numRetries must be a whole number from 0 to 15"],
    ["grpc-hedging:maxAttempts=6", "maxAttempts must be a whole number from 2 to 5"],
    ["grpc-hedging:pushbackMs=soon", "pushbackMs must be a number from 0 to 86400000, or none"],
    ["cassandra:retry=often", "retry must be `99p`, `50ms`"],
    ["cassandra:retry=MIN(99p,95p)", "retry must be"],
    ["spark:quantile=", "quantile must be"],
  ])("%s is refused by name of what is wrong", (text, message) => {
    expect(() => parsePolicy(text)).toThrow(RangeError);
    expect(() => parsePolicy(text)).toThrow(message);
  });
});

describe("documented settings", () => {
  it.each(KINDS)("%s is a policy", (kind) => {
    expect(DEFAULTS[kind].kind).toBe(kind);
    expect(problemOf(DEFAULTS[kind])).toBeUndefined();
    expect(problemOfParameters(DEFAULTS[kind])).toBeUndefined();
  });

  it("refuse parameters that there are none of", () => {
    expect(problemOf({ ...DEFAULTS.envoy, patience: 1 } as never)).toContain("envoy has no patience; it has perTry");
  });
});
