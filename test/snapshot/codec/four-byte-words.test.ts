import fc from '../../support/fast-check.ts'
import t from 'tap'
import {
  byteOf,
  bytesBefore,
  marksOf,
  marksOfControls,
  toWords,
  wordOf
} from '../../../lib/snapshot/codec/four-byte-words.ts'

const four = fc.uint8Array({ minLength: 4, maxLength: 4 })
const wordIn = (bytes: Uint8Array): number => Buffer.from(bytes).readInt32LE()

/** What the marks are good for: whether there is one, and where the first one is. */
const found = (marks: number): number => marks === 0 ? -1 : bytesBefore(marks)

t.test('marksOfControls() finds the first control character of a word', async (t) => {
  const bytes = fc.oneof(four, fc.uint8Array({ minLength: 4, maxLength: 4, min: 0x1e, max: 0x22 }))
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(bytes, (bytes) => found(marksOfControls(wordIn(bytes))) === bytes.findIndex((byte) => byte < 0x20))
    )
  })
})

t.test('marksOf() finds the first of any byte', async (t) => {
  const near = fc.tuple(fc.nat(255), fc.array(fc.integer({ min: -1, max: 1 }), { minLength: 4, maxLength: 4 }))
    .map(([byte, steps]) => ({ byte, bytes: Uint8Array.from(steps, (step) => byte + step) }))
  const property = fc.property(fc.oneof(near, fc.record({ byte: fc.nat(255), bytes: four })), ({ byte, bytes }) =>
    found(marksOf(wordIn(bytes), wordOf(byte))) === bytes.indexOf(byte))
  t.doesNotThrow(() => { fc.assert(property) })
})

t.test('combined marks find the first byte of several kinds', async (t) => {
  const bytes = fc.uint8Array({ minLength: 4, maxLength: 4, min: 0x1f, max: 0x23 })
  const property = fc.property(bytes, (bytes) => {
    const word = wordIn(bytes)
    return (
      found(marksOfControls(word) | marksOf(word, wordOf(0x22))) ===
      bytes.findIndex((byte) => byte < 0x20 || byte === 0x22)
    )
  })
  t.doesNotThrow(() => { fc.assert(property) })
})

t.test('byteOf() returns the bytes of a word in their order', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(fc.property(four, fc.nat(3), (bytes, index) => byteOf(wordIn(bytes), index) === bytes[index]))
  })
})

t.test('toWords() pads the last word', async (t) => {
  t.strictSame(toWords('abcde'), {
    size: 5,
    lastMask: 0xff,
    words: Int32Array.of(Buffer.from('abcd').readInt32LE(), 0x65)
  })
  t.strictSame(toWords('ü'), { size: 2, lastMask: 0xffff, words: Int32Array.of(Buffer.from('ü\0\0').readInt32LE()) })
  t.equal(toWords('abcd').lastMask, -1)
  t.equal(toWords('abc').lastMask, 0xffffff)
})
