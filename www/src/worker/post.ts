/** What passes between the page and its worker: one port a request. */

/** A request, for the worker. */
export interface Posted {
  url: string;
  method: string;
  headers: [string, string][];
  body: string | undefined;
}

/** What the page says while it reads. */
export type Asked = "pull" | "leave";

/** What the worker answers. */
export type Answered =
  | { head: { status: number; headers: [string, string][]; hasBody: boolean } }
  | { bytes: Uint8Array<ArrayBuffer> }
  | { end: true }
  | { failed: string };
