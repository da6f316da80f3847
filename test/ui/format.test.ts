import t from 'tap'

// As in a browser of a British reader, whatever this machine is set to
const present = Object.getOwnPropertyDescriptor(globalThis, 'navigator')
Object.defineProperty(globalThis, 'navigator', { value: { languages: ['en-GB'] }, configurable: true })
const format = await import('../../ui/src/format.ts')
const { transferText } = await import('../../ui/src/parts/transfer.ts')
if (present === undefined) Reflect.deleteProperty(globalThis, 'navigator')
else Object.defineProperty(globalThis, 'navigator', present)

t.test('sizes have a unit of 1000', async (t) => {
  const sizes = [null, 0, 999, 1000, 1500, 99_950, 123_456, 1e6, 2.5e9, 3e15, 4e18].map(format.bytes)
  t.strictSame(sizes,
    ['–', '0 B', '999 B', '1 kB', '1.5 kB', '100 kB', '123 kB', '1 MB', '2.5 GB', '3 PB', '4,000 PB'])
})

t.test('a size that rounds up to the next unit is shown in it', async (t) => {
  t.strictSame([999_499, 999_500, 999_999, 999_999_999].map(format.bytes), ['999 kB', '1 MB', '1 MB', '1 GB'])
})

t.test('numbers are grouped as the reader expects', async (t) => {
  t.strictSame([format.count(1234567), format.count(null), format.percent(0.126)], ['1,234,567', '–', '13%'])
  t.strictSame([format.change(1200), format.change(-3), format.change(0)], ['+1,200', '-3', '0'])
  t.strictSame([format.plural(1, 'row'), format.plural(2, 'row'), format.plural(0, 'entry', 'entries')],
    ['1 row', '2 rows', '0 entries'])
})

t.test('durations have at most two units', async (t) => {
  t.strictSame([null, 0, 40, 440, 9949].map(format.duration), ['–', '0 s', '0 s', '0.4 s', '9.9 s'])
  t.strictSame([9999, 10_000, 59_400, 59_600, 60_000, 200_000, 3_599_600, 7_500_000].map(format.duration),
    ['10 s', '10 s', '59 s', '1 min', '1 min', '3 min 20 s', '1 h', '2 h 5 min'])
})

t.test('times are relative to now, in the largest unit that fits', async (t) => {
  const now = Date.UTC(2026, 10, 27, 12)
  const after = (ms: number): string => format.relativeTime(new Date(now + ms).toISOString(), now)
  const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]
  t.strictSame([after(0), after(-59_000), after(30_000)], ['just now', 'just now', 'in less than a minute'])
  t.strictSame([after(-minute), after(-119_000), after(-3 * hour), after(2 * day), after(-day)],
    ['1 minute ago', '1 minute ago', '3 hours ago', 'in 2 days', '1 day ago'])
  t.strictSame([after(-31 * day), after(-400 * day)], ['1 month ago', '1 year ago'])
})

t.test('exact times name their zone', async (t) => {
  t.match(format.exactTime('2026-11-27T08:05:09Z'), /^2[678] Nov 2026, \d\d:\d5:09 (?:UTC|GMT|[A-Z]{2,5}|[+-]\d+)/)
  t.match(format.shortTime('2026-11-27T12:05:09Z'), /^2[78] Nov, \d\d:\d5$/)
  t.match(format.day(new Date(2026, 10, 27)), /^Fri,? 27 Nov 2026$/)
})

t.test('a transfer shows size and percent, and its rate and the time left after half a second', async (t) => {
  const transfer = { done: 3_000_000, total: 12_000_000, startedAt: 1000 }
  t.equal(transferText(transfer, 1400), '3 MB of 12 MB · 25%')
  t.equal(transferText(transfer, 4000), '3 MB of 12 MB · 25% · 1 MB/s · 9 s left')
  t.equal(transferText({ ...transfer, done: 0 }, 4000), '0 B of 12 MB · 0%')
  t.equal(transferText({ ...transfer, total: null }, 4000), '3 MB · 1 MB/s')
})
