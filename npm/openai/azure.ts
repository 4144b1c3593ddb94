/**
 * OpenAI's models on Azure: by deployment, with an `api-version`.
 */
import { type Difference, OpenAI } from "./client.ts";
import { OpenAIError } from "./errors.ts";
import { type ClientOptions, readEnv } from "./options.ts";

/** Settings of a client of Azure. */
export interface AzureClientOptions extends ClientOptions {
  /**
   * The version of Azure's API, sent in the query.
   * @default `OPENAI_API_VERSION`
   */
  apiVersion?: string | undefined;
  /**
   * The resource, such as `https://example.openai.azure.com/`.
   * @default `AZURE_OPENAI_ENDPOINT`
   */
  endpoint?: string | undefined;
  /**
   * The deployment whose path requests go to, in place of one by the name of the model.
   * @default the model's name
   */
  deployment?: string | undefined;
  /**
   * Sent as `api-key`.
   * @default `AZURE_OPENAI_API_KEY`
   */
  apiKey?: string | undefined;
  /** A Microsoft Entra token for each attempt, in place of a key. */
  azureADTokenProvider?: (() => Promise<string>) | undefined;
}

/**
 * A client of Azure OpenAI.
 * @example
 * ```ts
 * import { AzureOpenAI } from "chatwire/openai";
 *
 * const client = new AzureOpenAI({ endpoint, apiKey, apiVersion: "2024-10-21", deployment: "gpt-4o" });
 * ```
 */
export class AzureOpenAI extends OpenAI {
  deploymentName: string | undefined;
  apiVersion: string;

  /** @throws {OpenAIError} the version, the key or the endpoint is missing, or there are two of them */
  constructor(given: AzureClientOptions = {}) {
    const {
      baseURL = readEnv("OPENAI_BASE_URL"),
      apiKey = readEnv("AZURE_OPENAI_API_KEY"),
      apiVersion = readEnv("OPENAI_API_VERSION"),
      endpoint,
      deployment,
      azureADTokenProvider,
      dangerouslyAllowBrowser = azureADTokenProvider ? true : undefined,
      ...rest
    } = given;
    if (!apiVersion) {
      throw new OpenAIError(
        "The OPENAI_API_VERSION environment variable is missing or empty; either provide it, or instantiate the AzureOpenAI client with an apiVersion option, like new AzureOpenAI({ apiVersion: 'My API Version' }).",
      );
    }
    if (!azureADTokenProvider && !apiKey) {
      throw new OpenAIError(
        "Missing credentials. Please pass one of `apiKey` and `azureADTokenProvider`, or set the `AZURE_OPENAI_API_KEY` environment variable.",
      );
    }
    if (azureADTokenProvider && apiKey) {
      throw new OpenAIError(
        "The `apiKey` and `azureADTokenProvider` arguments are mutually exclusive; only one can be passed at a time.",
      );
    }
    if (baseURL && endpoint) throw new OpenAIError("baseURL and endpoint are mutually exclusive");
    const base = baseURL || under(endpoint ?? readEnv("AZURE_OPENAI_ENDPOINT"));
    const difference: Difference = {
      pathOf: (path, body) => {
        const model = this.deploymentName ?? (body as { model?: string } | undefined)?.model;
        const isNamed = new URL(this.baseURL).pathname.split("/").includes("deployments");
        return model === undefined || isNamed || !BY_DEPLOYMENT.has(path)
          ? path
          : `/deployments/${encodeURIComponent(model)}${path}`;
      },
      ...(!azureADTokenProvider && { authorize: asApiKey }),
    };
    super(
      {
        ...rest,
        apiKey: azureADTokenProvider ?? apiKey,
        baseURL: base,
        dangerouslyAllowBrowser,
        defaultQuery: { ...rest.defaultQuery, "api-version": apiVersion },
      },
      difference,
    );
    this.apiVersion = apiVersion;
    this.deploymentName = deployment;
  }

  override withOptions(changed: Partial<AzureClientOptions>): this {
    const { apiVersion, deploymentName: deployment } = this;
    const { apiKey } = this._options;
    const own = typeof apiKey === "function" ? { azureADTokenProvider: apiKey, apiKey: undefined } : {};
    const base = changed.endpoint === undefined || changed.baseURL !== undefined ? {} : { baseURL: undefined };
    const all = { apiVersion, deployment, ...own, ...base, ...changed };
    return super.withOptions(all as Partial<ClientOptions>);
  }
}

/** The paths that are asked of a deployment, and not of the resource. */
const BY_DEPLOYMENT = new Set(["/chat/completions", "/completions", "/embeddings"]);

/** @throws {OpenAIError} there is none */
function under(endpoint: string | undefined): string {
  if (endpoint) return `${endpoint.replace(/\/+$/, "")}/openai`;
  throw new OpenAIError(
    "Must provide one of the `baseURL` or `endpoint` arguments, or the `AZURE_OPENAI_ENDPOINT` environment variable",
  );
}

/** A key goes to Azure under a name of its own. */
function asApiKey(headers: Headers): void {
  const key = headers.get("authorization")?.replace(/^Bearer /, "");
  headers.delete("authorization");
  if (key && !headers.has("api-key")) headers.set("api-key", key);
}
