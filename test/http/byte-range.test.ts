import t from 'tap'
import { parseRange } from '../../lib/http/byte-range.ts'

t.test('a range has a first and a last byte, only a first one, or is a suffix', async (t) => {
  t.strictSame(parseRange('bytes=0-3', 10), { start: 0, end: 3 })
  t.strictSame(parseRange('bytes=9-9', 10), { start: 9, end: 9 })
  t.strictSame(parseRange('bytes=4-', 10), { start: 4, end: 9 })
  t.strictSame(parseRange('bytes=-4', 10), { start: 6, end: 9 })
  t.strictSame(parseRange('Bytes= 4-5 ', 10), { start: 4, end: 5 })
})

t.test('a range that exceeds the file ends with the file', async (t) => {
  t.strictSame(parseRange('bytes=4-100', 10), { start: 4, end: 9 })
  t.strictSame(parseRange('bytes=-100', 10), { start: 0, end: 9 })
  t.strictSame(parseRange(`bytes=-${'9'.repeat(400)}`, 10), { start: 0, end: 9 })
})

t.test('a range outside the file is unsatisfiable', async (t) => {
  for (const header of [
    'bytes=10-', 'bytes=10-12', 'bytes=-0', `bytes=${'9'.repeat(400)}-`
  ]) t.equal(parseRange(header, 10), null, header)
  t.equal(parseRange('bytes=-1', 0), null)
  t.equal(parseRange('bytes=0-', 0), null)
})

t.test('a malformed header, another unit and several ranges are ignored', async (t) => {
  for (const header of [
    '', 'bytes', 'bytes=', 'bytes=-', 'bytes=a-b', 'bytes=5-2', 'bytes=1.5-2', 'bytes=0x1-2', 'bytes=--1',
    'bytes=0-1,3-4', 'bytes=0-1,', 'lines=0-1', 'bytes 0-1'
  ]) {
    t.equal(parseRange(header, 10), undefined, header)
  }
})
