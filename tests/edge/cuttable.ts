/** A way to a server that can be cut, and closed for a time. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export async function cuttable(target: URL) {
  const sockets = new Set<Socket>();
  let isClosed = false;
  let connections = 0;
  /** After how many bytes of an answer a connection is cut. */
  let patience: () => number = () => Number.POSITIVE_INFINITY;
  const server = createServer((near) => {
    if (isClosed) return void near.destroy();
    connections++;
    const far = connect(Number(target.port), "127.0.0.1");
    let left = patience();
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        // A closed connection that was not reset would show at the next write only.
        far.resetAndDestroy();
      });
    }
    near.pipe(far);
    far.on("data", (bytes) => {
      near.write(bytes.subarray(0, left));
      left -= bytes.length;
      // The bytes that were written are to arrive first.
      if (left <= 0) near.end(() => near.destroy());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    /** How many there have been. */
    connections: () => connections,
    cutAfter(bytes: () => number) {
      patience = bytes;
    },
    close() {
      isClosed = true;
      for (const socket of sockets) socket.destroy();
    },
    open() {
      isClosed = false;
    },
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
