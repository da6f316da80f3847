import fc from '../support/fast-check.ts'

/** Bytes that mean something in JSON, in arrays or in COPY text, and those of longer tokens. */
const meaningful = [
  ...'{}[]",:\\/ \t\n\r\x00\x01\x1f\x7f-+.eE019tfnuNaIbrvNULx', '\\u0000', '\\u0041', '\\u00e9', '\\ud83d\\ude00',
  '\\ud83d', '\\ude00', '\\u000b', '\\u0022', '\\n', '\\"', 'null', 'true', '"NaN"', '"-Infinity"', '[[', ']]', '{}',
  ',"', '"NULL"', '\xff'
].map((text) => Buffer.from(text, text === '\xff' ? 'latin1' : 'utf8'))

interface Damage { at: number, removed: number, put: Buffer }

/** A change of some bytes of a file. */
export const damage: fc.Arbitrary<Damage> = fc.record({
  at: fc.nat(),
  removed: fc.oneof({ weight: 9, arbitrary: fc.nat(2) }, fc.constant(Infinity)),
  put: fc.oneof(
    fc.constant(Buffer.alloc(0)), fc.constantFrom(...meaningful), fc.nat(255).map((byte) => Buffer.of(byte))
  )
})

export const damaged = (list: Buffer, damages: Damage[]): Buffer => damages.reduce((bytes, { at, removed, put }) => {
  const start = at % (bytes.length + 1)
  return Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start + removed)])
}, list)
