import { randomInt } from 'node:crypto'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { requireCodec } from '../../lib/pipeline/codecs.ts'
import { decompressed, type OpenBytes, openPlain } from '../../lib/pipeline/plain-source.ts'
import { collect, inChunks } from './chunks.ts'
import { compressFile } from './compressed-file.ts'
import { rawFrame } from './raw-zstd.ts'

const head = Buffer.from('{"manifest":{}   ,\n"data":')
const body = Buffer.from('{"id":"1","name":"Ada"},\n'.repeat(500_000))
const plain = Buffer.concat([head, body])

interface Source { open: OpenBytes, streams: Readable[], ranges: Array<[number, number] | undefined> }

/** A file in memory, and the streams that were opened. */
function sourceOf (file: Buffer, chunkSize = 64 * 1024): Source {
  const streams: Readable[] = []
  const ranges: Source['ranges'] = []
  return {
    streams,
    ranges,
    async open (range) {
      ranges.push(range && [range.start, range.end])
      const bytes = range === undefined ? file : file.subarray(range.start, range.end + 1)
      const stream = Readable.from(inChunks(bytes, chunkSize), { objectMode: true, highWaterMark: 1 })
      streams.push(stream)
      return stream
    }
  }
}

const isClosed = async (stream: Readable): Promise<boolean> =>
  stream.closed || await new Promise((resolve) => { stream.once('close', () => { resolve(true) }) })

t.test('the JSON of every file is read, from its beginning and in ranges', async (t) => {
  const files = {
    plain,
    compressed: await compressFile('gzip', head, body),
    'by another program': gzipSync(plain),
    'of several members': Buffer.concat([gzipSync(plain.subarray(0, 1000)), gzipSync(plain.subarray(1000))])
  }
  for (const [name, file] of Object.entries(files)) {
    const { open, streams } = sourceOf(file)
    const openJson = openPlain(open, file.length)
    t.ok((await collect(await openJson())).equals(plain), name)
    for (let count = 0; count < 20; count++) {
      const start = randomInt(plain.length)
      const end = randomInt(start, plain.length)
      const read = await collect(await openJson({ start, end }))
      t.ok(read.equals(plain.subarray(start, end + 1)), `${name}: ${start} to ${end}`)
    }
    for (const stream of streams) t.ok(await isClosed(stream))
  }
})

t.test('a range reads the frames that it is in, and nothing else but the index', async (t) => {
  const file = await compressFile('gzip', head, body)
  const { open, ranges } = sourceOf(file)
  const openJson = openPlain(open, file.length)
  const start = plain.length - 100
  await collect(await openJson({ start, end: plain.length - 1 }))
  const last = ranges.at(-1) as [number, number]
  t.ok(last[0] > file.length / 2)
  const before = ranges.length
  await collect(await openJson({ start: 0, end: head.length - 1 }))
  t.equal(ranges.length, before + 1, 'the index is read once')
  t.ok(Number(ranges.at(-1)?.[1]) < 200)
})

t.test('a file with an index that is not its own is read from its beginning', async (t) => {
  const gzip = requireCodec('gzip')
  for (const index of [gzip.encodeIndex([]), gzip.encodeIndex([{ storedBytes: 1, plainBytes: 1 }])]) {
    const file = Buffer.concat([gzip.store(plain.subarray(0, 1000)), index])
    const read = await collect(await openPlain(sourceOf(file).open, file.length)({ start: 500, end: 600 }))
    t.ok(read.equals(plain.subarray(500, 601)))
  }
})

t.test('a range behind the end is refused', async (t) => {
  const file = await compressFile('gzip', head, body)
  const openJson = openPlain(sourceOf(file).open, file.length)
  await t.rejects(openJson({ start: plain.length, end: plain.length }), {
    code: 'FST_BACKUP_RANGE_INVALID', message: new RegExp(String(plain.length))
  })
})

t.test('a file that ends before the range does is truncated', async (t) => {
  const file = gzipSync(plain.subarray(0, 1000))
  const openJson = openPlain(sourceOf(file).open, file.length)
  await t.rejects(collect(await openJson({ start: 900, end: 1000 })), {
    code: 'FST_BACKUP_SNAPSHOT_INVALID', message: /truncated/
  })
})

t.test('a file that is shorter than a magic number is not compressed', async (t) => {
  for (const text of ['', '{', '{}']) {
    const file = Buffer.from(text)
    const { stream, compression } = await decompressed(await sourceOf(file, 1).open())
    t.equal(compression, 'none')
    t.equal((await collect(stream)).toString(), text)
    t.equal((await collect(await openPlain(sourceOf(file).open, file.length)({ start: 0, end: 0 }))).toString(),
      text.slice(0, 1))
  }
})

t.test('the file is closed when its stream is destroyed, also before the first read', async (t) => {
  const file = await compressFile('gzip', head, body)
  for (const isRead of [false, true]) {
    for (const range of [undefined, { start: 100, end: 1000 }]) {
      const { open, streams } = sourceOf(file)
      const stream = await openPlain(open, file.length)(range)
      if (isRead) await stream[Symbol.asyncIterator]().next()
      stream.destroy()
      t.ok(await isClosed(streams.at(-1) as Readable))
    }
  }
})

t.test('the file is closed when its beginning cannot be read or has an unknown format', async (t) => {
  const failing = new Readable({ read () { this.destroy(new Error('the disk is gone')) } })
  await t.rejects(decompressed(failing), { message: 'the disk is gone' })
  t.ok(failing.destroyed)
  const { open, streams } = sourceOf(rawFrame([Buffer.from('x')]))
  const isSupported = await decompressed(await open()).then(() => true, () => false)
  const [stream] = streams
  t.equal(stream?.destroyed, !isSupported)
  stream?.destroy()
})

t.test('an error of the storage is passed on as it is', async (t) => {
  const file = gzipSync(plain)
  const failing = Readable.from((async function * () {
    yield file.subarray(0, 1000)
    throw new Error('the disk is gone')
  })(), { objectMode: true })
  const { stream } = await decompressed(failing)
  await t.rejects(collect(stream), { message: 'the disk is gone' })
})
