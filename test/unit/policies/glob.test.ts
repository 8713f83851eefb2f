import fc from "fast-check";
import { expect, test } from "vitest";
import { matches } from "../../../policies/glob.ts";
import { shadowOf, type RuleConditions, type RulesSpec } from "../../../policies/rules.ts";

test("a pattern is for the whole name, and only a star stands for more than itself", () => {
  expect(matches("chat-*", "chat-mini")).toBe(true);
  expect(matches("chat-*", "chat-")).toBe(true);
  expect(matches("chat-*", "my-chat-mini")).toBe(false);
  expect(matches("chat", "chat-mini")).toBe(false);
  expect(matches("*-mini*", "chat-mini")).toBe(true);
  expect(matches("chat.?[a-z]", "chat.?[a-z]")).toBe(true);
  expect(matches("chat.", "chats")).toBe(false);
  expect(matches("CHAT-*", "chat-mini")).toBe(false);
  expect(matches("", "")).toBe(true);
  expect(matches("*", "")).toBe(true);
});

const fewLetters = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
const names = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 });

test("it matches what a regular expression of the same meaning does", () => {
  fc.assert(
    fc.property(fewLetters, names, (pattern, name) => {
      expect(matches(pattern, name)).toBe(new RegExp(`^${pattern.replaceAll("*", ".*")}$`, "s").test(name));
    }),
    { numRuns: 2_000 },
  );
});

test("a rule said to be shadowed never gets a call that the other does not take", () => {
  const rules = (wide: RuleConditions, narrow: RuleConditions): RulesSpec => ({
    kind: "rules",
    name: "two",
    rules: [wide, narrow].map((when, index) => ({
      name: `${index}`,
      when,
      policy: { kind: "fixed", copies: 1 },
    })),
  });
  fc.assert(
    fc.property(fewLetters, fewLetters, names, (wide, narrow, name) => {
      const shadow = shadowOf(rules({ models: [wide] }, { models: [narrow] }), 1);
      if (shadow !== undefined && matches(narrow, name)) expect(matches(wide, name)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
  expect(shadowOf(rules({ models: ["a*"] }, { models: ["a*b", "a"] }), 1)?.name).toBe("0");
  expect(shadowOf(rules({ models: ["a*"] }, { models: ["*"] }), 1)).toBeUndefined();
  expect(shadowOf(rules({ models: ["a*"], minFeeGwei: 5 }, { models: ["a"] }), 1)).toBeUndefined();
  expect(shadowOf(rules({ minFeeGwei: 5 }, { models: ["a"], minFeeGwei: 6 }), 1)?.name).toBe("0");
  expect(shadowOf(rules({ modes: ["tee"] }, {}), 1)).toBeUndefined();
});
