import t from 'tap'
import { ByteQueue } from '../../../lib/snapshot/codec/byte-queue.ts'
import { writeNumber } from '../../../lib/snapshot/codec/json-number-to-copy.ts'
import { cursorOver } from '../transcode.ts'

function written (json: string): string {
  const out = new ByteQueue()
  writeNumber(cursorOver(`${json},`), out)
  return String(Buffer.concat(out.take()))
}

t.test('a number keeps its digits', async (t) => {
  for (const digits of ['0', '-0', '-1.50', '1e+20', '1E5', '123456789012345678901234567890.0']) {
    t.equal(written(digits), digits)
  }
})

t.test('NaN and the infinities are strings, with or without escapes', async (t) => {
  for (const word of ['NaN', 'Infinity', '-Infinity']) t.equal(written(`"${word}"`), word)
  t.equal(written('"\\u004eaN"'), 'NaN')
})

t.test('other strings are refused', async (t) => {
  for (const json of ['"1"', '""', '"nan"', '"inf"', '"NaN "', '"+Infinity"', '"\\tNaN"']) {
    t.throws(() => written(json), { message: 'a number was expected' })
  }
})

t.test('values of other types are refused', async (t) => {
  for (const json of ['true', '[1]', '-', 'NaN']) t.throws(() => written(json), { message: 'a number was expected' })
})
