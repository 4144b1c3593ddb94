/** Numbers, sums and dates in words. Each formatter is made when it is first used: to make one takes milliseconds. */

function lazy<Formatter>(make: () => Formatter): () => Formatter {
  let made: Formatter | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const counts = lazy(() => new Intl.NumberFormat("en"));
const dollars = lazy(
  () => new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumSignificantDigits: 3 }),
);
const dates = lazy(() => new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" }));

export const number = (value: number): string => counts().format(value);
export const usd = (cost: number): string => dollars().format(cost);
/** @param time milliseconds since 1970 */
export const date = (time: number): string => dates().format(time);
