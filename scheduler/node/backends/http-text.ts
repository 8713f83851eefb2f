/** The first bytes of a body as text on one line; the rest is not read. Empty when nothing can be read. */
export async function bodyStart(response: Response, maxBytes: number): Promise<string> {
  const { text } = await boundedText(response, maxBytes).catch(() => ({ text: "" }));
  return text.replaceAll(/\s+/g, " ").trim().slice(0, 300);
}

/** A body's text, as far as it goes within the limit; `whole` says whether that is all of it. Rejects when it is cut. */
export async function boundedText(
  response: Response,
  maxBytes: number,
): Promise<{ readonly text: string; readonly whole: boolean }> {
  if (response.body === null) return { text: "", whole: true };
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the body.
  for await (const piece of response.body) {
    bytes += piece.length;
    pieces.push(bytes > maxBytes ? piece.subarray(0, piece.length - (bytes - maxBytes)) : piece);
    if (bytes > maxBytes) return { text: Buffer.concat(pieces).toString("utf8"), whole: false };
  }
  return { text: Buffer.concat(pieces).toString("utf8"), whole: true };
}

/** What went wrong, from the error and what is below it: `fetch failed` alone tells nobody anything. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof AggregateError) return errorText(cause.errors[0]);
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}
