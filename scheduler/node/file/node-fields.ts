import { integer, number, value } from "../../fields/field-makers.ts";
import type { Fields, FileField, Kind, NameField, WordField } from "../../fields/fields.ts";
import { MODES } from "../../shared/vocabulary.ts";
import { BACKEND_LIMITS } from "../backends/limits.ts";
import { NODE_LIMITS } from "../limits.ts";

/** Bytes of a node file: as many models as there may be, each with all that can be said of it. */
export const MAX_NODE_FILE_BYTES = 1_000_000;

/** Models of one node: in every mode they are as many offers as a scheduler takes from one. */
const MAX_MODELS = 64;
const MAX_NAME = 64;
const MAX_URL = 512;

const text = (means: string, maxLength = MAX_NAME): NameField => ({ type: "name", maxLength, means });
const file = (means: string): FileField => ({ type: "file", means });
const optionalFile = (means: string): FileField => ({ ...file(means), absent: { derived: "none" } });
const word = (means: string, words: readonly string[], absent: string): WordField => ({
  type: "word",
  words,
  means,
  absent: value(absent),
});
const list = (means: string, of: NameField, maxItems: number) =>
  ({ type: "list", of, minItems: 1, maxItems, means }) as const;
const wholeMs = (means: string, atMost: number, absent: number) =>
  integer(means, { atLeast: 1, atMost, absent: value(absent) });

const TOTAL_MS = wholeMs("how long an answer may take in all", BACKEND_LIMITS.maxTotalMs, 120_000);
const OUTPUT_BYTES = integer("how long an answer may be", {
  atLeast: 1,
  atMost: BACKEND_LIMITS.maxOutputBytes,
  absent: value(BACKEND_LIMITS.maxOutputBytes),
});

const ONNX: Kind = {
  means: "ONNX Runtime in this process",
  fields: {
    directory: {
      ...file("a folder with `manifest.json` and .onnx files"),
      absent: { derived: "the models of the package" },
    },
  },
};

const OPENAI: Kind = {
  means: "a server that speaks OpenAI's protocol: vLLM, TGI, llama.cpp's, Ollama, or a hosted one",
  fields: {
    url: text("where it is, up to and with `/v1`", MAX_URL),
    name: text("the model, as the server calls it", MAX_URL),
    apiKeyEnv: { ...text("the environment variable that holds the API key"), absent: { derived: "no key is sent" } },
    temperature: number("0: the most probable token each time", { atLeast: 0, atMost: 2, absent: value(0) }),
    seed: integer("of the server's random choices", {
      atLeast: 0,
      atMost: 2 ** 31 - 1,
      word: "none",
      absent: value(0),
    }),
    tokensField: word(
      "what the limit of an answer's tokens is called",
      ["max_tokens", "max_completion_tokens"],
      "max_tokens",
    ),
    usage: word("whether the server is asked to count tokens", ["asked", "unasked"], "asked"),
    firstTokenMs: wholeMs(
      "how long the first token may take, retries included",
      BACKEND_LIMITS.maxFirstTokenMs,
      30_000,
    ),
    totalMs: TOTAL_MS,
    outputBytes: OUTPUT_BYTES,
    retries: integer("requests after the first one, as long as no token has come", {
      atLeast: 0,
      atMost: BACKEND_LIMITS.maxRetries,
      absent: value(2),
    }),
  },
};

const EXEC: Kind = {
  means: "a command for each answer: input on its standard input, answer on its standard output",
  fields: {
    command: list(
      "the program and its words; no shell reads them",
      text("a word", BACKEND_LIMITS.maxWordCharacters),
      BACKEND_LIMITS.maxCommandWords,
    ),
    directory: { ...file("where the command begins"), absent: { derived: "the folder of this file" } },
    environment: {
      ...list("variables of the node's environment that it gets besides `PATH`", text("a variable", 256), 64),
      absent: { derived: "none" },
    },
    totalMs: TOTAL_MS,
    outputBytes: OUTPUT_BYTES,
    killAfterMs: wholeMs("how long it may take to end when it is told to", BACKEND_LIMITS.maxKillAfterMs, 2_000),
  },
};

const price = (means: string) =>
  integer(means, { atLeast: 0, atMost: NODE_LIMITS.maxPriceGwei, absent: { derived: "not offered" } });

const MODEL: Fields = {
  model: text("its name in the scheduler's registry"),
  priceGwei: {
    type: "section",
    means: "the modes in which it is offered, and what an answer costs in each",
    fields: Object.fromEntries(MODES.map((mode) => [mode, price(`an answer in mode \`${mode}\``)])),
  },
  concurrency: integer("answers at once, where that is fewer than slots", {
    atLeast: 1,
    atMost: NODE_LIMITS.maxSlots,
    absent: { derived: "slots" },
  }),
  backend: { type: "kinds", kinds: { onnx: ONNX, openai: OPENAI, exec: EXEC }, means: "what computes the answers" },
};

/** Every key of a node file, in the order of the docs. */
export const NODE_FIELDS: Fields = {
  id: text("the node's name, as the registry lists it"),
  operator: text("who runs it"),
  region: text("where it is"),
  hardware: text("what it runs on: answers are compared between nodes of equivalent hardware"),
  slots: integer("answers at once", { atLeast: 1, atMost: NODE_LIMITS.maxSlots }),
  queueLimit: integer("further ones that wait", { atLeast: 0, atMost: NODE_LIMITS.maxQueue }),
  key: file("the node's secret key, as `pipe node init` makes it"),
  enclave: {
    type: "section",
    means: "what mode `tee` is proved with",
    absent: { derived: "no enclave" },
    fields: {
      emulator: optionalFile("the root of an enclave *emulator*, for development: it secures nothing"),
    },
  },
  chain: text("the chain's id"),
  shard: text("the scheduler's shard", 32),
  schedulers: list("public keys of the schedulers that it obeys", text("64 hexadecimal digits"), 16),
  servers: list("NATS servers, such as `nats://10.0.0.1:4222`", text("a server", MAX_URL), 16),
  credentials: optionalFile("the NATS user's credentials file"),
  tls: {
    type: "section",
    means: "for brokers whose certificates the system does not know, or that ask for one",
    absent: { derived: "the system's authorities" },
    fields: {
      ca: optionalFile("certificates of the authorities that are trusted"),
      cert: optionalFile("the node's certificate"),
      key: optionalFile("its key"),
    },
  },
  drainMs: integer("how long answers under way may take when the node is told to stop", {
    atLeast: 0,
    atMost: NODE_LIMITS.maxLeaseMs,
    absent: value(30_000),
  }),
  models: { type: "sections", maxItems: MAX_MODELS, means: "what it offers", fields: MODEL },
};
