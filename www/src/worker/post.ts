/** The messages between the page and its worker: one port a request, or a piece of code. */

/** Code, to be given colours. */
export interface Colouring {
  code: string;
  language: string;
}

/** The code as HTML; nothing where its language is not known. */
export type Coloured = string | undefined;

/** A request, for the worker. */
export interface Posted {
  url: string;
  method: string;
  headers: [string, string][];
  body: string | undefined;
}

/** The messages of the page while it reads. */
export type Asked = "pull" | "leave";

/** The answers of the worker. */
export type Answered =
  | { head: { status: number; headers: [string, string][]; hasBody: boolean } }
  | { bytes: Uint8Array<ArrayBuffer> }
  | { end: true }
  | { failed: string };
