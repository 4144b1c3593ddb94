export {
  AbstractPage,
  CursorPage,
  type CursorPageResponse,
  Page,
  PagePromise,
  type PageRequestOptions,
  type PageResponse,
} from "../pages.ts";
export type { CursorPageParams } from "../types.ts";
