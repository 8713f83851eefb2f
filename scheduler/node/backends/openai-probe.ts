import type { Probe } from "./backend.ts";
import { boundedText, errorText } from "./http-text.ts";
import { BACKEND_LIMITS } from "./limits.ts";

/** Asks a server which models it has. One that has no such list, but answers, is there all the same. */
export async function probeModels(options: {
  readonly url: string;
  /** The model that is wanted. */
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}): Promise<Probe> {
  const { url, name, headers, signal } = options;
  try {
    const response = await fetch(url, { headers, signal, redirect: "manual" });
    const { status } = response;
    const { text, whole } = await boundedText(response, BACKEND_LIMITS.maxModelListBytes);
    if (status === 404 || status === 405)
      return { ok: true, note: `${url} does not exist: the server's models are unknown` };
    if (status !== 200) return { ok: false, why: `GET ${url}: HTTP ${status}` };
    const known = whole ? modelsIn(text) : undefined;
    if (known === undefined || known.some((id) => isName(id, name))) return { ok: true };
    return {
      ok: true,
      note: `the server does not list ${name}; it lists ${known.slice(0, 8).join(", ") || "nothing"}`,
    };
  } catch (error) {
    return { ok: false, why: `GET ${url}: ${signal.aborted ? "no answer in time" : errorText(error)}` };
  }
}

/** Ollama names a model without its tag, and lists it with the one that this means. */
function isName(id: string, name: string): boolean {
  return id === name || id === `${name}:latest`;
}

function modelsIn(text: string): string[] | undefined {
  try {
    const { data } = JSON.parse(text) as { readonly data?: unknown };
    if (!Array.isArray(data)) return undefined;
    return data.flatMap((model: unknown) => {
      const id = typeof model === "object" && model !== null && "id" in model ? model.id : undefined;
      return typeof id === "string" ? [id.slice(0, 200)] : [];
    });
  } catch {
    return undefined;
  }
}
