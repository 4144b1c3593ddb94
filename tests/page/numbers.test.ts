/** Numbers and sums of the page are what `Intl` makes of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { number, usd } from "../../www/src/page/numbers.ts";

test("numbers_and_sums_are_written_as_intl_writes_them", () => {
  const counts = new Intl.NumberFormat("en");
  const dollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumSignificantDigits: 3 });
  for (const value of [0, 1, 9, 10, 99, 100, 999, 1000, 1234, 12_345, 999_999, 1_000_000, 123_456_789]) {
    assert.equal(number(value), counts.format(value));
    for (const scale of [1, 1e-2, 1e-5, 1e-9])
      assert.equal(usd(value * scale), dollars.format(value * scale), `${value} × ${scale}`);
  }
  for (const cost of [0.5, 0.00012345, 0.000999999, 9.999, 99.95, 1234.5, 1e-7, 1.5e-8]) {
    assert.equal(usd(cost), dollars.format(cost));
  }
});
