/**
 * Lists as a server gives them, page by page.
 */
import { APIPromise, type WithRequestID } from "./api-promise.ts";
import { OpenAIError } from "./errors.ts";
import type { FinalRequestOptions } from "./options.ts";
import type { ChatCompletion, ChatCompletionStoreMessage } from "./shapes.ts";

/** A list, as a server gives it. */
export interface PageResponse<Item> {
  data: Item[];
  object: string;
}

/** A part of a list, as a server gives it. */
export interface CursorPageResponse<Item> {
  data: Item[];
  has_more: boolean;
}

/** The request for a page. */
export type PageRequestOptions = Pick<FinalRequestOptions, "query" | "headers" | "body" | "path" | "method">;

/** A client as pages know it. */
export interface ListingClient {
  request<Rsp>(options: FinalRequestOptions): APIPromise<Rsp>;
  requestAPIList<Item = unknown, PageOf extends AbstractPage<Item> = AbstractPage<Item>>(
    Class: PageClass<PageOf>,
    options: FinalRequestOptions,
  ): PagePromise<PageOf, Item>;
}

/** A page as `PagePromise` makes it. */
export type PageClass<Page> = new (
  client: ListingClient,
  response: Response,
  body: never,
  options: FinalRequestOptions,
) => Page;

/** A page of a list, and the way to the next. */
export abstract class AbstractPage<Item> implements AsyncIterable<Item> {
  readonly #client: ListingClient;
  /** The request that this page answers. */
  protected options: FinalRequestOptions;
  protected response: Response;
  /** The server's own JSON. */
  protected body: unknown;

  constructor(client: ListingClient, response: Response, body: unknown, options: FinalRequestOptions) {
    this.#client = client;
    this.options = options;
    this.response = response;
    this.body = body;
  }

  /** The request for the next page; null after the last. */
  abstract nextPageRequestOptions(): PageRequestOptions | null;

  abstract getPaginatedItems(): Item[];

  hasNextPage(): boolean {
    return this.getPaginatedItems().length > 0 && this.nextPageRequestOptions() != null;
  }

  /** @throws {OpenAIError} this is the last one */
  async getNextPage(): Promise<this> {
    const options = this.nextPageRequestOptions();
    if (options) return await this.#client.requestAPIList(this.constructor as PageClass<this>, options);
    throw new OpenAIError("No next page expected; please check `.hasNextPage()` before calling `.getNextPage()`.");
  }

  /** This page and those that follow. */
  async *iterPages(): AsyncGenerator<this> {
    let page = this;
    yield page;
    while (page.hasNextPage()) {
      page = await page.getNextPage();
      yield page;
    }
  }

  /** The items of this page and those that follow. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    for await (const page of this.iterPages()) yield* page.getPaginatedItems();
  }
}

/** All of a list. */
export class Page<Item> extends AbstractPage<Item> implements PageResponse<Item> {
  data: Item[];
  object: string;

  constructor(client: ListingClient, response: Response, body: PageResponse<Item>, options: FinalRequestOptions) {
    super(client, response, body, options);
    this.data = body?.data || [];
    this.object = body?.object;
  }

  getPaginatedItems(): Item[] {
    return this.data ?? [];
  }

  nextPageRequestOptions(): PageRequestOptions | null {
    return null;
  }
}

/** A part of a list, whose items have ids. */
export class CursorPage<Item extends { id?: string | null }>
  extends AbstractPage<Item>
  implements CursorPageResponse<Item>
{
  data: Item[];
  has_more: boolean;

  constructor(client: ListingClient, response: Response, body: CursorPageResponse<Item>, options: FinalRequestOptions) {
    super(client, response, body, options);
    this.data = body?.data || [];
    this.has_more = body?.has_more || false;
  }

  getPaginatedItems(): Item[] {
    return this.data ?? [];
  }

  override hasNextPage(): boolean {
    return this.has_more !== false && super.hasNextPage();
  }

  nextPageRequestOptions(): PageRequestOptions | null {
    const after = this.getPaginatedItems().at(-1)?.id;
    return after ? { ...this.options, query: { ...this.options.query, after } } : null;
  }
}

/** A promise of a page, whose items can be iterated at once. */
export class PagePromise<Page extends AbstractPage<Item>, Item = ReturnType<Page["getPaginatedItems"]>[number]>
  extends APIPromise<Page>
  implements AsyncIterable<Item>
{
  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    yield* (await this.withResponse()).data;
  }
}

/** Makes a page of what a server lists. */
export function pageOf<Page extends AbstractPage<Item>, Item>(
  client: ListingClient,
  Class: PageClass<Page>,
  options: FinalRequestOptions,
): PagePromise<Page, Item> {
  const fetched = client.request<never>(options);
  return new PagePromise<Page, Item>({
    response: () => fetched.asResponse(),
    read: async () => {
      const { data, response } = await fetched.withResponse();
      return { data: new Class(client, response, data, options) as WithRequestID<Page>, response };
    },
  });
}

/** Completions page by page. */
export type ChatCompletionsPage = CursorPage<ChatCompletion>;

/** Messages of a stored completion, page by page. */
export type ChatCompletionStoreMessagesPage = CursorPage<ChatCompletionStoreMessage>;
