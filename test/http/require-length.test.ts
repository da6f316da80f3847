import { once } from 'node:events'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { requireLength } from '../../lib/http/require-length.ts'

const download = (...chunks: string[]): Readable => Readable.from(chunks.map((chunk) => Buffer.from(chunk)))
const changed = { code: 'FST_BACKUP_SNAPSHOT_INVALID', message: /does not have the 5 bytes/ }

t.test('bytes of the required number pass', async (t) => {
  t.equal(await text(requireLength(download('012', '34'), 5)), '01234')
  t.equal(await text(requireLength(download('012', '34', ''), 5)), '01234')
  t.equal(await text(requireLength(download(), 0)), '')
})

t.test('a stream that ends too early fails at its end', async (t) => {
  await t.rejects(text(requireLength(download('012', '3'), 5)), changed)
  await t.rejects(text(requireLength(download(), 5)), changed)
})

t.test('a stream with too many bytes fails', async (t) => {
  await t.rejects(text(requireLength(download('012', '345'), 5)), changed)
})

t.test('the stream ends in the tick of its last byte, although the file ends later', async (t) => {
  const chunks = ['012', '34', null]
  const file = new Readable({ read () { setImmediate(() => this.push(chunks.shift() ?? null)) } })
  const order: string[] = []
  const stream = requireLength(file, 5)
  stream.on('data', (chunk: Buffer) => {
    order.push(String(chunk))
    setImmediate(() => order.push('next tick'))
  })
  await once(stream, 'end')
  order.push('end')
  t.strictSame(order, ['012', 'next tick', '34', 'end'])
})
