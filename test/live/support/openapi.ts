import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv2020 from "ajv/dist/2020.js";
import type { Answer } from "./http.ts";

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, object>> };
}

/** What is wrong with the document by the specification of OpenAPI; empty when nothing is. */
export async function faultsOf(document: object): Promise<unknown> {
  const result = await new Validator().validate(document as Record<string, unknown>);
  return result.valid ? [] : result.errors;
}

/** Says of an answer how it differs from what the document promises; `undefined` when it does not. */
export class Promised {
  readonly #document: OpenApiDocument;
  readonly #ajv: InstanceType<typeof Ajv2020.default>;
  /** `GET /v1/policy 200` and so on: what has been seen to be answered. */
  readonly seen = new Set<string>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
    this.#ajv = new Ajv2020.default({ strict: false, allErrors: true });
    this.#ajv.addSchema({ $id: "urn:pipe:document", ...document }, "urn:pipe:document");
  }

  difference(method: string, path: string, { status, headers, text, json }: Answer): string | undefined {
    const place = `${method} ${path} ${status}`;
    const template = Object.keys(this.#document.paths).find((known) =>
      new RegExp(`^${known.replaceAll(".", "\\.").replace(/\{[a-z]+\}/g, "[^/]+")}$`).test(path.split("?")[0] ?? ""),
    );
    const operation = template === undefined ? undefined : this.#document.paths[template]?.[method.toLowerCase()];
    // What the document does not have is answered with a problem, which it cannot describe.
    if (template === undefined || operation === undefined)
      return [404, 405].includes(status) ? undefined : `${place}: undocumented`;
    this.seen.add(`${method} ${template} ${status}`);
    const response = operation.responses[String(status)];
    if (response === undefined) return `${place}: the document has no such status: ${text.slice(0, 200)}`;
    const type = (headers.get("content-type") ?? "").split(";")[0] ?? "";
    if (response.content === undefined)
      return text === "" ? undefined : `${place}: has a body, which the document has not`;
    const promised = response.content[type];
    if (promised === undefined) return `${place}: is ${type}, the document has ${Object.keys(response.content).join()}`;
    if (json === undefined) return undefined;
    const pointer = ["paths", template, method.toLowerCase(), "responses", String(status), "content", type, "schema"];
    const ref = pointer.map((step) => encodeURIComponent(step.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");
    const validate = this.#ajv.compile({ $ref: `urn:pipe:document#/${ref}` });
    return validate(json) ? undefined : `${place}: ${this.#ajv.errorsText(validate.errors)} in ${text.slice(0, 300)}`;
  }
}
