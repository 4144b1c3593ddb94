/** Code in coloured pieces. The worker reads the code; the page makes the spans. */
import { startPageWorker } from "../page/trusted.ts";
import type { Coloured, Colouring } from "../worker/post.ts";

let worker: Worker | undefined;

/** The text in coloured pieces; nothing where the language is not known. */
export async function colours(text: string, language: string): Promise<Node[] | undefined> {
  worker ??= startPageWorker();
  const { port1: port, port2 } = new MessageChannel();
  const html = await new Promise<Coloured>((resolve) => {
    port.onmessage = ({ data }: MessageEvent<Coloured>) => resolve(data);
    worker?.postMessage({ code: text, language } satisfies Colouring, [port2]);
  });
  port.close();
  return html === undefined ? undefined : rebuilt(html, document.createElement("div"));
}

/** The spans of the highlighter's HTML, made without the host's parser, so that no text can become an element. */
function rebuilt(html: string, root: HTMLElement): Node[] {
  const open: HTMLElement[] = [root];
  for (const [, start, end, text] of html.matchAll(/<span class="([^"<>]*)">|(<\/span>)|([^<]+)/g)) {
    const parent = open.at(-1) ?? root;
    if (start !== undefined) {
      const span = document.createElement("span");
      span.className = start;
      parent.append(span);
      open.push(span);
    } else if (end) open.pop();
    else if (text) parent.append(unescaped(text));
  }
  return [...root.childNodes];
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };

function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#x27);/g, (_, name: string) => ENTITIES[name] ?? "");
}
