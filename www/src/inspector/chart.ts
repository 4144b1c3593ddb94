/** Pieces of an answer over time, with what happened on the way. */
import { draw } from "../page/draw.ts";
import type { Mark, WireLog } from "./lines.ts";

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [420, 150, 34, 30, 18];
/** The height of a row of names, and the width of a letter at most. */
const [ROW, LETTER] = [10, 5];
/** The most rows of names; more names than these hold lie over each other. */
const ROWS = 6;

/** Space between names in a row. */
const GAP = 4;

interface Placed {
  row: number;
  from: number;
  to: number;
  /** Where its line goes down; none where it has none. */
  line: number | undefined;
}

/**
 * Gives each name a place beside its mark, to the left where the chart ends: in the first row where it touches no other name, no line
 * of another crosses it, and its own line crosses no other.
 */
function namePlaces(): (
  x: number,
  name: string,
  hasLine: boolean,
) => { row: number; x: number; anchor: "start" | "end" } {
  const all: Placed[] = [];
  return (x, name, hasLine) => {
    const width = LETTER * name.length;
    const isLate = x + width > WIDTH - 8;
    const [from, to] = isLate ? [x - 3 - width, x - 3] : [x + 3, x + 3 + width];
    const isFree = (row: number) =>
      all.every((other) => {
        const touches = other.row === row && from < other.to + GAP && to + GAP > other.from;
        const isCrossed = other.line !== undefined && other.row <= row && other.line > from && other.line < to;
        const crosses = hasLine && other.row >= row && x > other.from && x < other.to;
        return !touches && !isCrossed && !crosses;
      });
    const free = Array.from({ length: ROWS }, (_, row) => row).findIndex(isFree);
    const row = free < 0 ? ROWS - 1 : free;
    all.push({ row, from, to, line: hasLine ? x : undefined });
    return { row, x: isLate ? to : from, anchor: isLate ? "end" : "start" };
  };
}

/** The scale of an axis: a round number, which changes seldom while what it measures grows. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** Marks of one kind that lie side by side, as one: their names would lie over each other. */
function merged(marks: readonly Mark[], x: (at: number) => number): (Mark & { count: number })[] {
  const all: (Mark & { count: number })[] = [];
  for (const mark of marks) {
    const same = all.findLast(({ name }) => name === mark.name);
    if (same && x(mark.at) - x(same.at) < LETTER * (mark.name.length + 4)) same.count++;
    else all.push({ ...mark, count: 1 });
  }
  return all;
}

/** Draws the chart: all of it where its scales or marks have changed, else its curve. */
export function drawChart(svg: SVGSVGElement, { points, marks, gaps, lines }: WireLog): void {
  const end = roundUp(Math.max(1000, lines.at(-1)?.at ?? 0));
  const most = roundUp(Math.max(10, points.at(-1)?.[1] ?? 0));
  const x = (at: number) => LEFT + ((WIDTH - LEFT - 8) * at) / end;
  const y = (pieces: number) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * pieces) / most;
  const step = Math.ceil(points.length / 300) || 1;
  const shown = points.filter((_, i) => i % step === 0 || i === points.length - 1);
  const line = shown.map(([at, pieces]) => `${x(at).toFixed(1)},${y(pieces).toFixed(1)}`).join(" ");
  const look = JSON.stringify([end, most, marks, gaps]);
  if (svg.dataset.look === look) {
    svg.lastElementChild?.setAttribute("points", line);
    return;
  }
  svg.dataset.look = look;
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
  const write = (name: string, kind: string, at: number, hasLine = true): number => {
    const { row, x: left, anchor } = placeOf(x(at), name, hasLine);
    parts.push(draw("text", { class: kind, x: left, y: TOP - 14 + ROW * row, "text-anchor": anchor }, name));
    return row;
  };
  for (const { at, name, kind, count } of merged(marks, x)) {
    const top = TOP - 20 + ROW * write(count > 1 ? `${count} × ${name}` : name, kind, at);
    parts.push(draw("line", { class: `mark ${kind}`, x1: x(at), x2: x(at), y1: top, y2: HEIGHT - BOTTOM }));
  }
  for (const [from, to] of gaps) write(to ? `lost ${((to - from) / 1000).toFixed(1)} s` : "lost", "gap", from, false);
  parts.push(draw("text", { x: WIDTH - 8, y: HEIGHT - 4, "text-anchor": "end" }, `${end / 1000} s`));
  parts.push(draw("polyline", { class: "curve", points: line }));
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
