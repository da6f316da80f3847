import { throws } from 'node:assert/strict'
import fc from '../../support/fast-check.ts'
import t from 'tap'
import { ByteQueue, pieceSize } from '../../../lib/snapshot/codec/byte-queue.ts'
import { Incomplete, SnapshotSyntaxError } from '../../../lib/snapshot/codec/json-cursor.ts'
import {
  readStringBytes,
  readUnicodeEscape,
  writeCopyByte,
  writeString
} from '../../../lib/snapshot/codec/json-string-to-copy.ts'
import { textOf } from '../arbitrary-table.ts'
import { copyField } from '../copy-text.ts'
import { chooser, respellRow } from '../respell.ts'
import { column, cursorOver } from '../transcode.ts'

function written (json: string | Uint8Array): string {
  const out = new ByteQueue()
  writeString(cursorOver(json), out)
  return String(Buffer.concat(out.take()))
}
const read = (json: string | Uint8Array): string => String(Buffer.from(readStringBytes(cursorOver(json))))

t.test('a string is a COPY field of its text', async (t) => {
  t.equal(written('"Ada"'), 'Ada')
  t.equal(written('""'), '')
  t.equal(written('"é世😀"'), 'é世😀')
})

t.test('escapes that COPY shares are copied, and others are decoded', async (t) => {
  t.equal(written('"\\b\\f\\n\\r\\t\\\\"'), '\\b\\f\\n\\r\\t\\\\')
  t.equal(written('"\\"\\/"'), '"/')
  t.equal(written('"\\u0041\\u00e9\\u4E16\\ud83d\\uDE00"'), 'Aé世😀')
})

t.test('a character that COPY escapes is escaped, whatever its escape in JSON', async (t) => {
  t.equal(written('"\\u0008\\u0009\\u000a\\u000B\\u000c\\u000d\\u005c"'), '\\b\\t\\n\\v\\f\\r\\\\')
  t.equal(written('"\\u0001\\u001f\\u007f\\u0022\\u002f"'), '\x01\x1f\x7f"/')
})

t.test('a field is escaped byte by byte', async (t) => {
  const bytes = new Uint8Array(2)
  for (let code = 1; code < 128; code++) {
    const length = writeCopyByte(bytes, 0, code)
    t.equal(Buffer.from(bytes.subarray(0, length)).toString(), copyField(String.fromCharCode(code)))
  }
})

t.test('the bytes of a string without escapes are not copied', async (t) => {
  const cursor = cursorOver('"Ada",')
  t.equal(readStringBytes(cursor).buffer, cursor.bytes.buffer)
  t.equal(cursor.position, 5)
})

t.test('the bytes of a string are its text', async (t) => {
  t.equal(read('"Ada"'), 'Ada')
  t.equal(read('""'), '')
  t.equal(read('"a\\b\\f\\n\\r\\t\\\\\\"\\/z"'), 'a\b\f\n\r\t\\"/z')
  t.equal(read('"\\u0041é\\ud83d\\ude00\\u000b"'), 'Aé😀\v')
})

const malformed: Array<[json: string, message: string]> = [
  ['"a\nb"', 'a string contains a raw control character'],
  ['"\x1f"', 'a string contains a raw control character'],
  ['"\\n\x00"', 'a string contains a raw control character'],
  ['"\\a"', 'a string contains an escape that is not valid JSON'],
  ['"\\v"', 'a string contains an escape that is not valid JSON'],
  ['"\\U0041"', 'a string contains an escape that is not valid JSON'],
  ['"\\\n"', 'a string contains an escape that is not valid JSON'],
  ['"\\u00g0"', 'a \\u escape is malformed'],
  ['"\\u41","x"', 'a \\u escape is malformed'],
  ['"\\u 041"', 'a \\u escape is malformed'],
  ['"\\ud83d\\u12"   ', 'a \\u escape is malformed'],
  ['"\\u0000"', 'a string contains \\u0000, which PostgreSQL cannot store'],
  ['"\\ud83d"   ', 'a string contains a lone surrogate'],
  ['"\\ud83d\\nabcde"', 'a string contains a lone surrogate'],
  ['"\\ud83dx"   ', 'a string contains a lone surrogate'],
  ['"\\ud83d\\ud83d"', 'a string contains a lone surrogate'],
  ['"\\ude00"', 'a string contains a lone surrogate'],
  ['"\\udfff"', 'a string contains a lone surrogate']
]
for (const [json, message] of malformed) {
  t.test(`${JSON.stringify(json)} is refused: ${message}`, async (t) => {
    const isExpected = (error: unknown): boolean => error instanceof SnapshotSyntaxError && error.message === message
    t.doesNotThrow(() => { throws(() => written(json), isExpected) })
    t.doesNotThrow(() => { throws(() => read(json), isExpected) })
  })
}

t.test('anything except a string is refused', async (t) => {
  t.throws(() => written('1'), { message: 'a string was expected' })
  t.throws(() => read('null'), { message: 'a string was expected' })
})

t.test('characters next to the surrogates are decoded', async (t) => {
  for (const character of ['\ud7ff', '\ue000', '\u{10000}', '\u{10ffff}', '\uffff']) {
    const respelled = Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`
    ).join('')
    t.equal(written(`"${respelled}"`), character)
    const expected = { code: character.codePointAt(0), position: respelled.length }
    t.strictSame(readUnicodeEscape(cursorOver(respelled), 1), expected)
  }
})

t.test('a string that is truncated anywhere is incomplete', async () => {
  const json = '"a\\n\\u00e9\\ud83d\\ude00\\"é"'
  for (let length = 0; length < json.length; length++) {
    throws(() => written(json.slice(0, length)), Incomplete)
    throws(() => read(json.slice(0, length)), Incomplete)
  }
})

t.test('bytes after the end are not read', async () => {
  const cursor = cursorOver('"a\\x"')
  cursor.end = 3
  throws(() => { writeString(cursor, new ByteQueue()) }, Incomplete)
})

t.test('no byte is lost at the end of a piece of the queue', async (t) => {
  const stride = 16_384
  const lost: string[] = []
  for (let room = stride - 2; room <= stride + 6; room++) {
    for (let length = stride - 12; length <= stride + 1; length++) {
      for (const [escape, field] of [['\\ud83d\\ude00', '😀'], ['\\n', '\\n'], ['\\u000a', '\\n']] as const) {
        const out = new ByteQueue()
        out.append(Buffer.alloc(pieceSize - room, ' '))
        writeString(cursorOver(`"${'x'.repeat(length)}${escape}yz"`), out)
        if (String(Buffer.concat(out.take())).trimStart() !== `${'x'.repeat(length)}${field}yz`) {
          lost.push(`${escape} after ${length} bytes, with room for ${room}`)
        }
      }
    }
  }
  t.strictSame(lost, [])
})

t.test('any text in any formatting is written as COPY TO writes it, and decoded', async (t) => {
  const property = fc.property(textOf(), fc.nat(), (text, seed) => {
    const respelled = respellRow(JSON.stringify({ c: text }), [column('c', 'text')], chooser(seed))
    const json = /:\s*(".*")\s*\}\s*$/s.exec(respelled)?.[1] ?? ''
    return written(json) === copyField(text) && read(json) === text
  })
  t.doesNotThrow(() => { fc.assert(property, { numRuns: 500 }) })
})

t.test('a text that is longer than a piece of the queue is complete', async (t) => {
  const text = '\t"é'.repeat(200_000)
  t.equal(written(JSON.stringify(text)), copyField(text))
})
