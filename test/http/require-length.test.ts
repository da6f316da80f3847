import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { requireLength } from '../../lib/http/require-length.ts'

const download = (...chunks: string[]): Readable => Readable.from(chunks.map((chunk) => Buffer.from(chunk)))
const changed = { code: 'FST_BACKUP_SNAPSHOT_INVALID', message: /does not have the 5 bytes/ }

t.test('bytes of the required number pass', async (t) => {
  t.equal(await text(requireLength(download('012', '34'), 5)), '01234')
  t.equal(await text(requireLength(download(), 0)), '')
})

t.test('a stream that ends too early fails at its end', async (t) => {
  await t.rejects(text(requireLength(download('012', '3'), 5)), changed)
  await t.rejects(text(requireLength(download(), 5)), changed)
})

t.test('a stream with too many bytes fails', async (t) => {
  await t.rejects(text(requireLength(download('012', '345'), 5)), changed)
})
