/**
 * The two ends of a passage in this runtime: reads from a provider, and the body that a caller reads.
 *
 * Each turn of the loop between them costs more than what is done in it, so Cloudflare's workerd gets larger reads (its
 * default ones are of 4 KB) and its own stream to write them to. Elsewhere they are plain streams.
 */

/** Where bytes come from: the owner of their body. A read that fails lets go of it. */
export interface Inlet {
  /** The next bytes, good until the next call; `undefined` at the end. */
  next(): Promise<Uint8Array | undefined>;
  /** Ends a pending read, and the connection. */
  cancel(): void;
}

/** Where bytes go. */
export interface Sink {
  /**
   * Hands bytes to the reader, who gets copies; calls `taken` when they have been taken, or when that cannot happen any more. Until
   * then they do not change.
   */
  pass(bytes: Uint8Array, taken?: () => void): void;
  close(): void;
  fail(error: Error): void;
  /**
   * The reader counts as disconnected, and no write waits for it any more. Where its connection is lost, the server cancels the
   * body by itself, and some servers print an error that comes first: so the error comes later.
   */
  abandon(isLost: boolean): void;
}

/** A body that a reader reads, and its other end. */
export interface Outlet extends Sink {
  body: ReadableStream<Uint8Array>;
}

/** workerd's stream without a queue. */
interface IdentityTransform {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
}
const { IdentityTransformStream } = globalThis as { IdentityTransformStream?: new () => IdentityTransform };

/** The first read is small, as those of a stream of tokens are; one that is full makes the next ones large. */
const FIRST_BYTES = 4 * 1024;
const READ_BYTES = 64 * 1024;
/** Milliseconds that a server has to cancel the body of a lost connection. */
const LET_GO = 1000;

/** Lets go of a body, by itself or by its reader. Whether that fails is the host's affair. */
export function letGo(body: Pick<ReadableStream, "cancel">): void {
  (async () => body.cancel())().catch(() => {});
}

/** @throws the host cannot read the body, which is let go of */
export function inletOf(body: ReadableStream<Uint8Array>): Inlet {
  try {
    return (IdentityTransformStream && largeReads(body)) ?? plainReads(body);
  } catch (error) {
    letGo(body);
    throw error;
  }
}

function plainReads(body: ReadableStream<Uint8Array>): Inlet {
  const reader = body.getReader();
  return {
    async next() {
      try {
        return (await reader.read()).value;
      } catch (error) {
        letGo(reader);
        throw error;
      }
    },
    cancel: () => letGo(reader),
  };
}

/**
 * Reads into one buffer that is used for every read. `undefined` where the body is no byte stream, as one made in JavaScript
 * may be.
 */
function largeReads(body: ReadableStream<Uint8Array>): Inlet | undefined {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
  /** The last read detaches the buffer. */
  let buffer: ArrayBuffer | undefined = new ArrayBuffer(FIRST_BYTES);
  return {
    async next() {
      if (!buffer) return undefined;
      try {
        const { done, value } = await reader.read(new Uint8Array(buffer));
        if (done) buffer = undefined;
        else buffer = value.length === FIRST_BYTES && isFirst(value) ? new ArrayBuffer(READ_BYTES) : value.buffer;
        return done ? undefined : value;
      } catch (error) {
        letGo(reader);
        throw error;
      }
    },
    cancel() {
      if (buffer) letGo(reader);
    },
  };
}

const isFirst = ({ buffer }: Uint8Array) => buffer.byteLength === FIRST_BYTES;

/** @param leave called when the reader cancels the body */
export function outletOf(leave: () => void): Outlet {
  return IdentityTransformStream ? writtenTo(new IdentityTransformStream(), leave) : pulled(leave);
}

function writtenTo({ readable, writable }: IdentityTransform, leave: () => void): Outlet {
  const writer = writable.getWriter();
  writer.closed.catch(leave);
  return {
    body: readable,
    pass(bytes, taken) {
      const failed = () => {
        leave();
        taken?.();
      };
      writer.write(bytes).then(taken, failed);
    },
    close: () => void writer.close().catch(() => {}),
    fail: (error) => void writer.abort(error).catch(() => {}),
    abandon: () => void writer.abort().catch(() => {}),
  };
}

/** A body that pulls its next bytes when the last have been read. */
function pulled(leave: () => void): Outlet {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let taken: () => void = () => {};
  let isLetGo = false;
  const body = new ReadableStream<Uint8Array>(
    {
      start(own) {
        controller = own;
      },
      // All bytes that were handed on before have been read.
      pull() {
        taken();
        taken = () => {};
      },
      cancel() {
        isLetGo = true;
        taken();
        leave();
      },
    },
    { highWaterMark: 0 },
  );
  return {
    body,
    pass(bytes, isTaken = () => {}) {
      const before = taken;
      taken = () => {
        before();
        isTaken();
      };
      // A reader may detach what it gets. `slice` copies nothing of a `Buffer`.
      controller?.enqueue(new Uint8Array(bytes));
    },
    close: () => controller?.close(),
    fail: (error) => controller?.error(error),
    abandon(isLost) {
      taken();
      const fail = () => {
        // A body that was cancelled cannot fail any more.
        if (!isLetGo) controller?.error(new TypeError("The reader has disconnected."));
      };
      if (!isLost) fail();
      else (setTimeout(fail, LET_GO) as { unref?: () => void }).unref?.();
    },
  };
}
