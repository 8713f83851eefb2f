import { generateKeyPairSync } from "node:crypto";
import { EnclaveEmulator } from "../../../scheduler/node/enclave-emulator.ts";
import { measurementsOf } from "../../../scheduler/proofs/nitro/rules.ts";
import { type Attack, honest } from "./attack.ts";
import {
  check,
  emulator,
  enclaveKey,
  fieldsOf,
  forgeDocument,
  honestChain,
  HOUR_MS,
  IMAGE,
  NOW_MS,
  request,
  root,
} from "./forge.ts";

const zeroPcrs = new Map([0, 1, 2].map((index) => [index, new Uint8Array(48)] as const));
const twistedPcr = (index: number) => () => {
  const { pcrs } = fieldsOf(honestChain);
  return forgeDocument(undefined, { pcrs: new Map([...pcrs, [index, new Uint8Array(48).fill(7)]]) });
};

/** Documents that are AWS's word, and not what was asked for. */
export const POLICY: readonly Attack[] = [
  {
    title: "a document of the future",
    reason: "dated-ahead",
    document: () => forgeDocument(undefined, { timestampMs: NOW_MS + 30_001 }),
  },
  {
    title: "an old document",
    reason: "too-old",
    document: () => forgeDocument(undefined, { timestampMs: NOW_MS - HOUR_MS - 1 }),
  },
  {
    title: "a debug enclave",
    reason: "debug-enclave",
    document: () => new EnclaveEmulator({ root, image: IMAGE, name: "d", debug: true }).attest(request),
  },
  {
    title: "a debug enclave that the registry lists",
    reason: "debug-enclave",
    document: () => forgeDocument(undefined, { pcrs: zeroPcrs }),
    check: {
      rules: {
        maxAgeMs: HOUR_MS,
        measurements: [{ pcr0: "00".repeat(48), pcr1: "00".repeat(48), pcr2: "00".repeat(48) }],
      },
    },
  },
  ...[0, 1, 2].map((index): Attack => {
    const pcrs = new Map([...fieldsOf(honestChain).pcrs, [index, new Uint8Array(48)]]);
    const registers = [...pcrs].map(([at, pcr]) => [at, Buffer.from(pcr).toString("hex")]);
    const check = { rules: { maxAgeMs: HOUR_MS, measurements: [measurementsOf(Object.fromEntries(registers))] } };
    const document = () => forgeDocument(undefined, { pcrs });
    return { title: `register ${index} zero, and listed so`, reason: "debug-enclave", document, check };
  }),
  ...[0, 1, 2].map(
    (index): Attack => ({
      title: `another register ${index}`,
      reason: "wrong-measurements",
      document: twistedPcr(index),
    }),
  ),
  {
    title: "a register left out",
    reason: "wrong-measurements",
    document: () => forgeDocument(undefined, { pcrs: new Map([...fieldsOf(honestChain).pcrs].slice(0, 2)) }),
  },
  {
    title: "another image",
    reason: "wrong-measurements",
    document: () => new EnclaveEmulator({ root, image: "other", name: "o" }).attest(request),
  },
  {
    title: "an empty registry",
    reason: "wrong-measurements",
    document: () => honest,
    check: { rules: { maxAgeMs: HOUR_MS, measurements: [] } },
  },
  {
    title: "the nonce of an earlier epoch",
    reason: "wrong-nonce",
    document: () => emulator.attest({ ...request, nonce: new Uint8Array(32) }),
  },
  {
    title: "no nonce",
    reason: "wrong-nonce",
    document: () => emulator.attest({ publicKey: enclaveKey.spki, userData: request.userData, nowMs: NOW_MS }),
  },
  {
    title: "a nonce with a byte more",
    reason: "wrong-nonce",
    document: () => emulator.attest({ ...request, nonce: Buffer.concat([request.nonce, new Uint8Array(1)]) }),
  },
  {
    title: "another node's document",
    reason: "wrong-user-data",
    document: () => honest,
    check: { binding: { ...check.binding, node: "node-2" } },
  },
  {
    title: "another node key's document",
    reason: "wrong-user-data",
    document: () => honest,
    check: { binding: { ...check.binding, nodeKey: "ba".repeat(32) } },
  },
  {
    title: "another chain's document",
    reason: "wrong-user-data",
    document: () => honest,
    check: { binding: { ...check.binding, chainId: "pipe-2" } },
  },
  {
    title: "no user data",
    reason: "wrong-user-data",
    document: () => emulator.attest({ publicKey: enclaveKey.spki, nonce: request.nonce, nowMs: NOW_MS }),
  },
  {
    title: "no key",
    reason: "bad-enclave-key",
    document: () => emulator.attest({ userData: request.userData, nonce: request.nonce, nowMs: NOW_MS }),
  },
  ...(
    [
      ["a raw Ed25519 key", enclaveKey.spki.subarray(12)],
      ["a padded key", Buffer.concat([enclaveKey.spki, new Uint8Array(1)])],
      [
        "a P-384 key",
        generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "der", type: "spki" }),
      ],
      [
        "a secp256k1 key",
        generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey.export({ format: "der", type: "spki" }),
      ],
      ["an X25519 key", generateKeyPairSync("x25519").publicKey.export({ format: "der", type: "spki" })],
      [
        "an RSA key",
        generateKeyPairSync("rsa", { modulusLength: 2_048 }).publicKey.export({ format: "der", type: "spki" }),
      ],
      ["an empty key", new Uint8Array(0)],
    ] as const
  ).map(
    ([title, publicKey]): Attack => ({
      title,
      reason: "bad-enclave-key",
      document: () => emulator.attest({ ...request, publicKey: new Uint8Array(publicKey) }),
    }),
  ),
];
