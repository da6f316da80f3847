import type { Test } from 'tap'

/** Matches a list item by item. Unlike t.match() with an array, it accepts neither additional nor missing items. */
export function matchEach (t: Test, found: unknown[], patterns: unknown[], what = 'item'): void {
  t.equal(found.length, patterns.length, `number of items: ${what}`)
  for (const [index, pattern] of patterns.entries()) t.match(found[index], pattern, `${what} ${index}`)
}
