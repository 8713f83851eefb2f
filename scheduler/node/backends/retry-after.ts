/** What a header `Retry-After` asks for, in milliseconds from now (RFC 9110, 10.2.3); `undefined` when it says nothing. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  // RFC 9110 has whole seconds; some servers send fractions.
  if (/^\d{1,9}(?:\.\d{1,9})?$/.test(text)) return Math.ceil(Number(text) * 1_000);
  // Dates of HTTP begin with a day's name. What else Date.parse takes is no date here.
  const atMs = /^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
