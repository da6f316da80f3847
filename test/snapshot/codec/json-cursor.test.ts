import { throws } from 'node:assert/strict'
import fc from '../../support/fast-check.ts'
import t from 'tap'
import { Incomplete, JsonCursor, SnapshotSyntaxError } from '../../../lib/snapshot/codec/json-cursor.ts'
import { cursorOver } from '../transcode.ts'
import { toWords } from '../../../lib/snapshot/codec/four-byte-words.ts'

/** The position of the cursor after a move. */
const reach = (json: string, move: (cursor: JsonCursor) => void): number => {
  const cursor = cursorOver(json)
  move(cursor)
  return cursor.position
}
const skipValue = (cursor: JsonCursor): void => { cursor.skipValue() }
const skipNumber = (cursor: JsonCursor): void => { cursor.skipNumber() }
const readKey = (json: string | Uint8Array): string => cursorOver(json).readKey()

const syntax =
  (message: string) =>
    (error: unknown): boolean =>
      error instanceof SnapshotSyntaxError && error.message === message
const incomplete = (error: unknown): boolean => error instanceof Incomplete

t.test('a new cursor is at the end of its bytes', async () => {
  const cursor = new JsonCursor()
  throws(() => cursor.peek(), incomplete)
  throws(() => cursor.accept(0x20), incomplete)
})

t.test('accept() and expect() move over the given byte only', async (t) => {
  const cursor = cursorOver('ab')
  t.notOk(cursor.accept(0x62))
  t.ok(cursor.accept(0x61))
  t.doesNotThrow(() => { cursor.expect(0x62, 'a b') })
  t.equal(cursor.position, 2)
  throws(() => { cursorOver('a').expect(0x62, 'a b') }, syntax('a b was expected'))
})

t.test('acceptWords() needs all bytes to match, and the first other byte is enough to refuse them', async (t) => {
  const cursor = cursorOver('abc')
  t.notOk(cursor.acceptWords(toWords('ax')))
  t.notOk(cursor.acceptWords(toWords('abx and many more')))
  t.equal(cursor.position, 0)
  throws(() => cursor.acceptWords(toWords('abcd')), incomplete)
  t.ok(cursor.acceptWords(toWords('ab')))
  t.equal(cursor.position, 2)
})

t.test('acceptWords() compares complete words and the bytes at the end', async (t) => {
  const text = '"name":"Ada"'
  for (let size = 1; size <= text.length; size++) {
    const part = text.slice(0, size)
    for (const after of ['', '1', '123', '12345']) {
      const cursor = cursorOver(`${part}${after}`)
      t.ok(cursor.acceptWords(toWords(part)))
      t.equal(cursor.position, size)
      for (let index = 0; index < size; index++) {
        t.notOk(cursorOver(`${part.slice(0, index)}~${part.slice(index + 1)}${after}`).acceptWords(toWords(part)))
      }
    }
  }
})

t.test('bytes after the end are not read', async (t) => {
  const cursor = cursorOver('"abc" ')
  cursor.end = 4
  throws(() => { cursor.skipString() }, incomplete)
  cursor.position = 0
  throws(() => cursor.acceptWords(toWords('"abc"')), incomplete)
  cursor.position = 4
  throws(() => cursor.peek(), incomplete)
  cursor.end = 5
  cursor.position = 5
  cursor.skipSpace()
  t.equal(cursor.position, 5)
})

t.test('expectWord() moves over the given word only', async (t) => {
  t.equal(reach('null,', (cursor) => { cursor.expectWord('null') }), 4)
  throws(() => { cursorOver('nul!').expectWord('null') }, syntax('a value of another type was expected'))
  throws(() => { cursorOver('nul').expectWord('null') }, incomplete)
})

t.test('only the white space of JSON is skipped', async (t) => {
  t.equal(reach(' \t\r\n x', (cursor) => { cursor.skipSpace() }), 5)
  t.equal(reach('\v', (cursor) => { cursor.skipSpace() }), 0)
  t.equal(reach('\u00a0', (cursor) => { cursor.skipSpace() }), 0)
  t.equal(reach('\ufeff', (cursor) => { cursor.skipSpace() }), 0)
})

t.test('readKey() reads the colon and the white space around it', async (t) => {
  const cursor = cursorOver(' \n"a\\u0062\\"" :\t1')
  t.equal(cursor.readKey(), 'ab"')
  t.equal(cursor.position, cursor.end - 1)
})

t.test('a key that is not JSON is refused, without the key in the message', async (t) => {
  throws(() => readKey('"a\\x":'), syntax('a key is malformed'))
  throws(() => readKey('"a\nb":'), syntax('a key is malformed'))
  throws(() => readKey(Buffer.from('"\xff":', 'latin1')), syntax('a key is malformed'))
  throws(() => readKey('"a",'), syntax('a colon was expected'))
  throws(() => readKey('a:'), syntax('a string was expected'))
  t.equal(readKey('"\\ud800":'), '\ud800')
})

t.test('a string ends at the first quote that is not escaped', async (t) => {
  for (const json of ['""', '"a"', '"\\""', '"\\\\"', '"\\\\\\""', '"a\\\\\\\\"', '"]}"']) {
    t.equal(reach(`${json}"x"`, (cursor) => { cursor.skipString() }), json.length, json)
  }
  for (const json of ['"', '"a', '"\\"', '"\\', '"\\\\\\"']) throws(() => { cursorOver(json).skipString() }, incomplete)
})

t.test('numbers have the syntax of JSON', async (t) => {
  for (const number of [
    '0',
    '-0',
    '7',
    '-12',
    '1.5',
    '0.05',
    '-0.0',
    '1e5',
    '1E5',
    '1e+05',
    '1.25e-7',
    '123456789012345678901234567890'
  ]) {
    t.equal(reach(`${number},`, skipNumber), number.length, number)
    throws(() => {
      skipNumber(cursorOver(number))
    }, incomplete)
  }
})

t.test('anything except a number is refused', async () => {
  for (const number of ['-,', '1.,', '1e,', '1e+,', '.5,', '+1,', 'x,', '-x,', '1.e5,', '"1"']) {
    throws(() => {
      skipNumber(cursorOver(number))
    }, syntax('a number was expected'))
  }
})

t.test('a number ends before the first byte that cannot belong to it', async (t) => {
  t.equal(reach('01,', skipNumber), 1)
  t.equal(reach('1.5.5,', skipNumber), 3)
  t.equal(reach('0x10,', skipNumber), 1)
  t.equal(reach('19:,', skipNumber), 2, 'the byte after 9')
  t.equal(reach('10/,', skipNumber), 2, 'the byte before 0')
})

t.test('skipValue() skips exactly one value, which is incomplete when it is truncated anywhere', async (t) => {
  const property = fc.property(
    fc.json({ noUnicodeString: false }),
    fc.constantFrom(',', '}', ']', ' '),
    (json, next) => {
      const text = Buffer.from(json)
      const cursor = cursorOver(`${json}${next}"rest"`)
      cursor.skipValue()
      if (cursor.position !== text.length) return false
      for (let end = 0; end < text.length; end++) {
        cursor.position = 0
        cursor.end = end
        throws(() => {
          cursor.skipValue()
        }, incomplete)
      }
      return true
    }
  )
  t.doesNotThrow(() => { fc.assert(property, { numRuns: 300 }) })
})

t.test('a missing value is refused', async () => {
  for (const json of [',', '}', ']', ' 1']) {
    throws(() => {
      skipValue(cursorOver(json))
    }, syntax('a value was expected'))
  }
})

t.test('nesting may be a million levels deep', async (t) => {
  const depth = 1_000_000
  t.equal(reach('['.repeat(depth) + ']'.repeat(depth), skipValue), 2 * depth)
  throws(() => { skipValue(cursorOver('{'.repeat(depth))) }, incomplete)
})
