/**
 * The parts of express and @azure/identity that examples of `openai` use. room.mjs puts this file in their place.
 */
let handler;

/** The only app there is, which is asked without a port. */
export const app = {
  isListening: false,
  use() {},
  post(_path, given) {
    handler = given;
  },
  listen(_port, _host, started) {
    app.isListening = true;
    (started ?? _host)();
  },
  /** The app's answer to a request with this body. */
  ask(body) {
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const headers = new Headers();
    const encoder = new TextEncoder();
    handler(
      { body },
      {
        header: (name, value) => headers.set(name, value),
        // Pieces wait for the reader, who is told of an error by the end that does not come.
        write: (piece) => void writer.write(typeof piece === "string" ? encoder.encode(piece) : piece),
        end: () => void writer.close(),
      },
    );
    return new Response(readable, { headers });
  },
};

const express = () => app;
express.text = () => () => {};
express.json = () => () => {};
export default express;

export class DefaultAzureCredential {}

/** A token for Azure, as a key that is asked for anew with each request. */
export const getBearerTokenProvider = () => async () => "azure-token";
