import { pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { findTool, TOOLS } from "../setup/tools.mjs";

/** Nothing of the browser's own talks to the network or waits for a screen. */
const FLAGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync";

/** The browser that `npm test` has set up, with a new profile. Whoever starts it closes it. */
export function startBrowser(): Promise<Browser> {
  const executablePath = findTool(TOOLS.chromium, process.env);
  if (executablePath === undefined) throw new Error("Chromium is not here: run node test/setup/tools.mjs");
  return chromium.launch({ executablePath, args: FLAGS.split(" ") });
}

/** A page from a file, with the network switched off, and all that it asked for or complained of. */
export interface OpenedPage {
  readonly page: Page;
  readonly requests: readonly string[];
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

export async function openFile(
  browser: Browser,
  path: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width: 1_200, height: 900 }, ...options });
  await context.setOffline(true);
  const page = await context.newPage();
  const [requests, complaints]: [string[], string[]] = [[], []];
  page.on("request", (request) => void requests.push(request.url()));
  page.on("pageerror", (error) => void complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  await page.goto(pathToFileURL(path).href, { waitUntil: "load", timeout: 60_000 });
  return { page, requests, complaints, close: () => context.close() };
}
