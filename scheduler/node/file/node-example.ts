/** Names that `pipe node init` writes. */
export const NODE_FILE_NAME = "pipe.node.yaml";
export const KEY_FILE_NAME = "node.key";

/** What `pipe node init` writes: a node file that its reader turns into his own. docs/NODE.md has every key. */
export const NODE_EXAMPLE = `# An inference node. \`pipe node check\` says whether this file is right and \`pipe node run\` follows it; docs/NODE.md
# has every key. Relative paths start at this file's folder.

# Who it is: as the scheduler's model registry lists it, together with what \`pipe node key\` prints. Nodes of one operator
# never count as several, and answers are compared between nodes of equivalent hardware only.
id: node-1
operator: my-name
region: eu-west
hardware: cpu

# Answers at once, and further ones that wait. More are refused, so that the scheduler asks elsewhere.
slots: 4
queueLimit: 8

# The node's secret, for its owner's eyes only. Who has it can answer in the node's name: keep a copy where you keep secrets.
key: ${KEY_FILE_NAME}

# Whom it works for: the chain, the scheduler's shard, and the keys of the schedulers that it obeys.
chain: my-chain
shard: main
schedulers:
  - "0000000000000000000000000000000000000000000000000000000000000000"

# Where it meets them. \`credentials\` names the NATS user's file, \`tls\` certificates, where the broker wants them.
servers: [nats://127.0.0.1:4222]
# credentials: node-1.creds
# tls: { ca: ca.pem, cert: node-1.pem, key: node-1-key.pem }

# How long answers under way may take when the node is told to stop.
drainMs: 30000

# What it offers, in which modes, and what an answer costs in each.
models:
  # A model of the package, computed in this process.
  - model: risk-small
    priceGwei: { vanilla: 900, optimistic: 1000 }
    backend: { kind: onnx }

  # A server that speaks OpenAI's protocol: vLLM, TGI, llama.cpp's, Ollama.
  # - model: chat-70b
  #   priceGwei: { vanilla: 25000 }
  #   # No more at once than the server does well.
  #   concurrency: 4
  #   backend:
  #     kind: openai
  #     url: http://127.0.0.1:8000/v1
  #     # The model as the server calls it.
  #     name: meta-llama/Llama-3.3-70B-Instruct
  #     # The variable that holds the API key. The key itself belongs in no file.
  #     # apiKeyEnv: CHAT_API_KEY
  #     # The same question gets the same answer, as far as the server keeps that promise.
  #     temperature: 0
  #     seed: 0

  # A command: input on its standard input, answer on its standard output, status 0.
  # - model: summary
  #   priceGwei: { vanilla: 5000 }
  #   backend:
  #     kind: exec
  #     command: [python3, summarise.py]
  #     environment: [CUDA_VISIBLE_DEVICES]
`;
