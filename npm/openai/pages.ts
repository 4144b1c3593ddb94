/**
 * Lists as a server gives them, page by page.
 */
import { APIPromise, type WithRequestID } from "./api-promise.ts";
import { OpenAIError } from "./errors.ts";
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

/** Asks for a page. */
type Ask<Page> = (query: Record<string, unknown>) => PagePromise<Page, never>;

/** A page of a list, and the way to the next. */
export abstract class AbstractPage<Item> implements AsyncIterable<Item> {
  /** The server's own JSON. */
  readonly #ask: Ask<unknown>;
  protected readonly query: Record<string, unknown>;
  data: Item[];

  constructor(body: { data?: Item[] } | null | undefined, query: Record<string, unknown>, ask: Ask<unknown>) {
    Object.assign(this, body);
    this.data = body?.data ?? [];
    this.query = query;
    Object.defineProperty(this, "query", { enumerable: false });
    this.#ask = ask;
  }

  /** Which page is next; null after the last. */
  abstract nextQuery(): Record<string, unknown> | null;

  getPaginatedItems(): Item[] {
    return this.data;
  }

  hasNextPage(): boolean {
    return this.data.length > 0 && this.nextQuery() !== null;
  }

  /** @throws {OpenAIError} this is the last one */
  async getNextPage(): Promise<this> {
    const query = this.nextQuery();
    if (!query) {
      throw new OpenAIError("No next page expected; please check `.hasNextPage()` before calling `.getNextPage()`.");
    }
    return (await this.#ask(query)) as unknown as this;
  }

  /** This page and those that follow. */
  async *iterPages(): AsyncGenerator<this, void, void> {
    let page = this;
    yield page;
    while (page.hasNextPage()) {
      page = await page.getNextPage();
      yield page;
    }
  }

  /** The items of this page and those that follow. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, void> {
    for await (const page of this.iterPages()) yield* page.getPaginatedItems();
  }
}

/** All of a list. */
export class Page<Item> extends AbstractPage<Item> {
  declare object: string;

  nextQuery(): null {
    return null;
  }
}

/** A part of a list, whose items have ids. */
export class CursorPage<Item extends { id?: string | null }> extends AbstractPage<Item> {
  declare has_more: boolean;

  override hasNextPage(): boolean {
    return this.has_more === true && super.hasNextPage();
  }

  nextQuery(): Record<string, unknown> | null {
    const after = this.data.at(-1)?.id;
    return after ? { ...this.query, after } : null;
  }
}

/** A promise of a page, whose items can be iterated at once. */
export class PagePromise<Page, Item> extends APIPromise<Page> implements AsyncIterable<Item> {
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, void> {
    yield* (await this.withResponse()).data as AsyncIterable<Item>;
  }
}

/** Makes pages of what a server lists. */
export function pagesOf<Page, Item>(
  Class: new (body: { data?: Item[] }, query: Record<string, unknown>, ask: Ask<unknown>) => Page,
  fetchPage: (query: Record<string, unknown>) => APIPromise<{ data?: Item[] }>,
  query: Record<string, unknown>,
): PagePromise<Page, Item> {
  const ask = (next: Record<string, unknown>) => pagesOf(Class, fetchPage, next);
  const fetched = fetchPage(query);
  return new PagePromise<Page, Item>({
    response: () => fetched.asResponse(),
    read: async () => {
      const { data, response } = await fetched.withResponse();
      return { data: new Class(data, query, ask as Ask<unknown>) as WithRequestID<Page>, response };
    },
  });
}

/** Completions page by page. */
export type ChatCompletionsPage = CursorPage<ChatCompletion>;
/** Messages of a stored completion, page by page. */
export type ChatCompletionStoreMessagesPage = CursorPage<ChatCompletionStoreMessage>;
