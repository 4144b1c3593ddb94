/** Pieces of an answer over time, with what happened on the way. */
import { draw } from "../page/dom.ts";
import type { WireLog } from "./lines.ts";

/** How many names of marks stand below each other: byte, token, sentence, repair, gap and end. */
const ROWS = 6;
const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [420, 150, 34, 30, 18];

/** Draws the chart anew. */
export function drawChart(svg: SVGSVGElement, { points, marks, gaps, lines }: WireLog): void {
  const end = Math.max(1000, lines.at(-1)?.at ?? 0);
  const most = Math.max(10, points.at(-1)?.[1] ?? 0);
  const x = (at: number) => LEFT + ((WIDTH - LEFT - 8) * at) / end;
  const y = (pieces: number) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * pieces) / most;
  const parts: SVGElement[] = [];
  for (const [from, to] of gaps) {
    const width = Math.max(2, x(to ?? end) - x(from));
    parts.push(draw("rect", { class: "gap", x: x(from), y: TOP, width, height: HEIGHT - TOP - BOTTOM }));
    const seconds = (((to ?? end) - from) / 1000).toFixed(1);
    parts.push(draw("text", { class: "gap", x: x(from) + 3, y: HEIGHT - BOTTOM - 5 }, `lost ${seconds} s`));
  }
  for (const part of [0, 0.5, 1]) {
    const pieces = Math.round(most * part);
    parts.push(draw("line", { class: "grid", x1: LEFT, x2: WIDTH - 8, y1: y(pieces), y2: y(pieces) }));
    parts.push(draw("text", { x: LEFT - 6, y: y(pieces) + 3, "text-anchor": "end" }, String(pieces)));
  }
  for (const [i, { at, name, kind }] of marks.entries()) {
    // Names of near marks stand below each other.
    const near = marks.slice(0, i).filter((mark) => x(at) - x(mark.at) < 44).length;
    const row = near % ROWS;
    parts.push(
      draw("line", { class: `mark ${kind}`, x1: x(at), x2: x(at), y1: TOP - 20 + 9 * row, y2: HEIGHT - BOTTOM }),
    );
    const isLate = at > end * 0.8;
    const place = { x: x(at) + (isLate ? -3 : 3), y: TOP - 14 + 9 * row, "text-anchor": isLate ? "end" : "start" };
    parts.push(draw("text", { class: kind, ...place }, name));
  }
  const step = Math.ceil(points.length / 300) || 1;
  const shown = points.filter((_, i) => i % step === 0 || i === points.length - 1);
  const line = shown.map(([at, pieces]) => `${x(at).toFixed(1)},${y(pieces).toFixed(1)}`).join(" ");
  parts.push(draw("polyline", { class: "curve", points: line }));
  parts.push(draw("text", { x: WIDTH - 8, y: HEIGHT - 4, "text-anchor": "end" }, `${(end / 1000).toFixed(1)} s`));
  svg.replaceChildren(...parts);
}

/** The curve alone, for the bar of a phone: 200 by 24 units. */
export function sparkOf({ points, lines }: WireLog): string {
  const end = Math.max(1000, lines.at(-1)?.at ?? 0);
  const most = Math.max(10, points.at(-1)?.[1] ?? 0);
  const step = Math.ceil(points.length / 60) || 1;
  return points
    .filter((_, i) => i % step === 0 || i === points.length - 1)
    .map(([at, pieces]) => `${((200 * at) / end).toFixed(1)},${(22 - (20 * pieces) / most).toFixed(1)}`)
    .join(" ");
}
