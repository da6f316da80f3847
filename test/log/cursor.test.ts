import t from 'tap'
import { decodeCursor, encodeCursor } from '../../lib/log/cursor.ts'

const id = '0123abcd-0000-4000-8000-00000000cafe'
const encoded = (text: string): string => Buffer.from(text).toString('base64url')

t.test('decodeCursor() reverses encodeCursor()', async (t) => {
  for (const ordinal of ['0', '17', '-3', '999999999999999999', '-999999999999999999']) {
    t.strictSame(decodeCursor(encodeCursor({ ordinal, id })), { ordinal, id })
  }
})

t.test('any other text is refused', async (t) => {
  for (const text of [
    '', ' ', 'x', '%', encoded(`1234567890123456789 ${id}`), encoded(`--1 ${id}`), encoded(`1.5 ${id}`),
    encoded(` ${id}`), encoded('17'), encoded('17 '), encoded(`17 ${id.toUpperCase()}`), encoded(`17 ${id.slice(1)}`),
    encoded(`17 ${id}0`), encoded(`17 ${id} `), encoded(`17 ${id} x`), encoded(`17  ${id}`), encoded(`17\n${id}`),
    `${encoded(`17 ${id}`)}=`, ` ${encoded(`17 ${id}`)}`, Buffer.from(`17 ${id}`).toString()
  ]) {
    t.throws(() => decodeCursor(text), {
      code: 'FST_BACKUP_ARGUMENT_INVALID', message: /before must be the next of the previous page/
    }, JSON.stringify(text))
  }
})
