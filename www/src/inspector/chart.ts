/** Pieces of an answer over time, with what happened on the way. */
import { draw } from "../page/dom.ts";
import type { WireLog } from "./lines.ts";

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [420, 150, 34, 30, 18];
/** The height of a row of names, and the width of a letter at most. */
const [ROW, LETTER] = [9, 5];
/** The most rows of names; more names than these hold lie over each other. */
const ROWS = 6;

/** Gives each name a place beside its mark: to the left where the chart ends, and in the first row where it lies over no other name. */
function namePlaces(): (x: number, name: string) => { row: number; x: number; anchor: "start" | "end" } {
  const rows: [from: number, to: number][][] = Array.from({ length: ROWS }, () => []);
  return (x, name) => {
    const width = LETTER * name.length;
    const isLate = x + width > WIDTH - 8;
    const [from, to] = isLate ? [x - 3 - width, x - 3] : [x + 3, x + 3 + width];
    const free = rows.findIndex((names) => names.every((other) => to < other[0] || from > other[1]));
    const row = free < 0 ? ROWS - 1 : free;
    rows[row]?.push([from, to]);
    return { row, x: isLate ? to : from, anchor: isLate ? "end" : "start" };
  };
}

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
  }
  for (const part of [0, 0.5, 1]) {
    const pieces = Math.round(most * part);
    parts.push(draw("line", { class: "grid", x1: LEFT, x2: WIDTH - 8, y1: y(pieces), y2: y(pieces) }));
    parts.push(draw("text", { x: LEFT - 6, y: y(pieces) + 3, "text-anchor": "end" }, String(pieces)));
  }
  const placeOf = namePlaces();
  const write = (name: string, kind: string, at: number): number => {
    const { row, x: left, anchor } = placeOf(x(at), name);
    parts.push(draw("text", { class: kind, x: left, y: TOP - 14 + ROW * row, "text-anchor": anchor }, name));
    return row;
  };
  for (const { at, name, kind } of marks) {
    const top = TOP - 20 + ROW * write(name, kind, at);
    parts.push(draw("line", { class: `mark ${kind}`, x1: x(at), x2: x(at), y1: top, y2: HEIGHT - BOTTOM }));
  }
  for (const [from, to] of gaps) write(`lost ${(((to ?? end) - from) / 1000).toFixed(1)} s`, "gap", from);
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
