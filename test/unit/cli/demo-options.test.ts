import { describe, expect, it } from "vitest";
import { formatPolicy, parsePolicy } from "../../../policies/short-form.ts";

describe("a policy on the command line", () => {
  it("is read as what it says", () => {
    expect(parsePolicy("fixed:2")).toEqual({ kind: "fixed", copies: 2 });
    expect(parsePolicy("hedge:1500:3")).toEqual({ kind: "hedge", delayMs: 1500, maxCopies: 3 });
  });

  it.each(["fixed:1", "fixed:16", "hedge:1:1", "hedge:60000:16"])("is written again as it was read: %s", (text) => {
    expect(formatPolicy(parsePolicy(text))).toBe(text);
  });

  it.each(
    "|fixed|fixed:|fixed:0|fixed:17|fixed:1.5|fixed:-1|fixed:2:3|hedge|hedge:100|hedge:0:2|hedge:100:17|hedge:1e3:2|hedge:1:2:3|learn:1".split(
      "|",
    ),
  )("is refused with what would be right: %j", (text) => {
    expect(() => parsePolicy(text)).toThrow(RangeError);
    expect(() => parsePolicy(text)).toThrow(`"${text}" is no policy. Write fixed:COPIES`);
  });
});
