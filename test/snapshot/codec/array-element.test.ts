import fc from '../../support/fast-check.ts'
import t from 'tap'
import { writeArrayElement, writeCopyEscaped } from '../../../lib/snapshot/codec/array-element.ts'
import { ByteQueue } from '../../../lib/snapshot/codec/byte-queue.ts'
import { WordView } from '../../../lib/snapshot/codec/four-byte-words.ts'
import type { ElementEncoding } from '../../../lib/snapshot/codec/column-encoding.ts'
import { textOf } from '../arbitrary-table.ts'
import { arrayOut, copyField } from '../copy-text.ts'
import { cursorOver } from '../transcode.ts'

/** The element in the COPY field. */
function written (json: string, element: ElementEncoding = 'text', delimiter = ','): string {
  const out = new ByteQueue()
  writeArrayElement(cursorOver(`${json}]`), element, delimiter.charCodeAt(0), out)
  return String(Buffer.concat(out.take()))
}

t.test('null is NULL in arrays of any type', async (t) => {
  for (const element of ['text', 'number', 'boolean'] as const) t.equal(written('null', element), 'NULL')
})

t.test('the text NULL is distinguished from SQL NULL', async (t) => {
  for (const word of ['NULL', 'null', 'Null', 'nuLL']) t.equal(written(`"${word}"`), `"${word}"`)
  for (const word of ['NUL', 'NULLS', 'NVLL', 'BULL', 'xxxx']) t.equal(written(`"${word}"`), word)
})

t.test('a plain element has no quotes', async (t) => {
  t.equal(written('"Ada"'), 'Ada')
  t.equal(written('"é世😀"'), 'é世😀')
  t.equal(written('"a;b\'c[d]"'), 'a;b\'c[d]')
})

t.test('elements that array_in() would misread are quoted', async (t) => {
  t.equal(written('""'), '""')
  for (const character of '{}, ') t.equal(written(`"a${character}b"`), `"a${character}b"`)
  t.equal(written('"a;b"', 'text', ';'), '"a;b"')
  t.equal(written('"a,b"', 'text', ';'), 'a,b')
})

t.test('quotes and backslashes are escaped for the array, and those escapes for COPY', async (t) => {
  t.equal(written('"a\\"b"'), '"a\\\\"b"')
  t.equal(written('"a\\\\b"'), '"a\\\\\\\\b"')
})

t.test('white space is quoted and escaped; other control characters are not quoted', async (t) => {
  t.equal(written('"\\t\\n\\u000b\\f\\r"'), '"\\t\\n\\v\\f\\r"')
  t.equal(written('"\\b\\u0001\u007f"'), '\\b\x01\x7f')
})

t.test('numbers and booleans are not quoted', async (t) => {
  t.equal(written('-1.50', 'number'), '-1.50')
  t.equal(written('"NaN"', 'number'), 'NaN')
  t.equal(written('true', 'boolean'), 't')
  t.equal(written('false', 'boolean'), 'f')
})

t.test('an element of another type is refused', async (t) => {
  t.throws(() => written('1'), { message: 'a string was expected' })
  t.throws(() => written('"1"', 'number'), { message: 'a number was expected' })
  t.throws(() => written('"t"', 'boolean'), { message: 'a value of another type was expected' })
  t.throws(() => written('nil'), { message: 'a value of another type was expected' })
})

t.test('any text is written as array_out() and COPY TO write it', async (t) => {
  const property = fc.property(textOf(), fc.constantFrom(',', ';', '\t', ':'), (text, delimiter) =>
    `{${written(JSON.stringify(text), 'text', delimiter)}}` === copyField(arrayOut([text], delimiter)))
  t.doesNotThrow(() => { fc.assert(property, { numRuns: 500 }) })
})

t.test('a part of any length is escaped for COPY', async (t) => {
  const text = 'a\t\\ and a long plain piece'.repeat(10_000)
  const out = new ByteQueue()
  writeCopyEscaped(new WordView(Buffer.from(`<${text}>`)), 1, 1 + text.length, out)
  t.equal(String(Buffer.concat(out.take())), copyField(text))
})
