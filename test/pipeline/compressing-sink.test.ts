import t from 'tap'
import type { Codec } from '../../lib/pipeline/codec.ts'
import { requireCodec } from '../../lib/pipeline/codecs.ts'
import { openCompressingSink } from '../../lib/pipeline/compressing-sink.ts'
import type { Frame } from '../../lib/pipeline/frame.ts'
import { collect, inChunks } from './chunks.ts'
import { compressFile } from './compressed-file.ts'
import { createMemorySink } from './memory-sink.ts'

const mebibyte = 1024 * 1024
const head = Buffer.from('{"manifest":{}   ,\n"data":')
const gzip = requireCodec('gzip')

const rows = (bytes: number, row: string): Buffer => Buffer.from(row.repeat(Math.ceil(bytes / row.length)))

async function framesOf (file: Buffer): Promise<Frame[]> {
  return await gzip.readIndex(async (start, end) => file.subarray(start, end), file.length) ?? []
}

t.test('a frame ends with the line that ends behind 4 MiB, and at 8 MiB at the latest', async (t) => {
  const body = Buffer.concat([
    rows(10 * mebibyte, '{"id":"1","name":"Ada"},\n'), rows(18 * mebibyte, 'one long line '), Buffer.from('\n{}\n')
  ])
  for (const pieceSize of [1000, 256 * 1024, body.length]) {
    const file = await compressFile('gzip', head, body, { pieceSize })
    const plain = await collect(gzip.decompress(inChunks(file, 64 * 1024)))
    t.ok(plain.equals(Buffer.concat([head, body])), `pieces of ${pieceSize} bytes`)
    const frames = await framesOf(file)
    t.equal(frames[0]?.plainBytes, head.length)
    let position = head.length
    for (const { plainBytes } of frames.slice(1, -1)) {
      position += plainBytes
      t.ok(plainBytes >= 4 * mebibyte && plainBytes <= 8 * mebibyte)
      t.ok(plainBytes === 8 * mebibyte || plain[position - 1] === 0x0a)
    }
    t.equal(frames.reduce((sum, { plainBytes }) => sum + plainBytes, 0), plain.length)
  }
})

t.test('a body without bytes has no frame', async (t) => {
  const file = await compressFile('gzip', head, Buffer.alloc(0))
  t.strictSame(await framesOf(file), [{ storedBytes: gzip.storedSize(head.length), plainBytes: head.length }])
})

t.test('a level decides the size', async (t) => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `{"id":"${index * 7919 % 10_007}"},\n`)
  const body = Buffer.from(lines.join(''))
  const [fast, small] = [await compressFile('gzip', head, body, { level: 1 }),
    await compressFile('gzip', head, body, { level: 9 })]
  t.ok(small.length < fast.length)
})

t.test('after an error of the next sink, write() or finish() reports it, and discard() removes the file', async (t) => {
  const piece = rows(3 * mebibyte, '{"id":"1"},\n')
  for (const failing of [1, 2, 3, 4]) {
    const next = createMemorySink(gzip.storedSize(head.length), (write) => {
      if (write === failing) throw new Error('the disk is full')
    })
    const sink = await openCompressingSink(gzip, {}, async () => next, head.length)
    const writing = (async () => {
      for (let count = 0; count < 5; count++) await sink.write([piece])
      await sink.finish(head)
    })()
    await t.rejects(writing, { message: 'the disk is full' }, `write ${failing}`)
    await sink.idle()
    await sink.discard()
    t.equal(next.discarded, 1)
  }
})

t.test('nothing is written after discard(), also if it is called during a write', async (t) => {
  const next = createMemorySink(gzip.storedSize(head.length), () => { t.equal(next.discarded, 0) })
  const sink = await openCompressingSink(gzip, {}, async () => next, head.length)
  const writing = sink.write([rows(40 * mebibyte, '{"id":"1"},\n')])
  await sink.discard()
  await writing
  await sink.idle()
  t.equal(next.discarded, 1)
  t.ok(next.bytes().length < 2 * mebibyte, 'the write has ended early')
})

t.test('an error of the compression is reported, and nothing is written after it', async (t) => {
  let calls = 0
  const codec: Codec = {
    ...gzip,
    async compress (bytes, level) {
      if (++calls === 2) throw new Error('out of memory')
      return await gzip.compress(bytes, level)
    }
  }
  const next = createMemorySink(gzip.storedSize(head.length))
  const sink = await openCompressingSink(codec, {}, async () => next, head.length)
  const body = rows(30 * mebibyte, '{"id":"1"},\n')
  await t.rejects((async () => {
    await sink.write([body])
    await sink.finish(head)
  })(), { message: 'out of memory' })
  await sink.idle()
  const { length } = await collect(gzip.decompress(inChunks(next.bytes().subarray(gzip.storedSize(head.length)), 1000)))
  t.ok(length > 4 * mebibyte && length < 5 * mebibyte, 'one frame')
  t.equal(next.storedBytes, sink.storedBytes)
})
