import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { gzipSync } from 'node:zlib'
import type { Codec } from '../../lib/pipeline/codec.ts'
import { compressionOf, requireCodec } from '../../lib/pipeline/codecs.ts'
import type { Frame } from '../../lib/pipeline/frame.ts'
import { createZstdCodec } from '../../lib/pipeline/zstd-codec.ts'
import { collect, inChunks } from './chunks.ts'
import { rawBlocks, rawFrame, skippableFrame, zstdLibraries } from './raw-zstd.ts'

const codecs: Array<[name: string, codec: Codec]> = [
  ['gzip', requireCodec('gzip')],
  ...zstdLibraries.map((library, index): [string, Codec] => [`zstd ${index}`, createZstdCodec(library) as Codec])
]
const invalid = { code: 'FST_BACKUP_SNAPSHOT_INVALID' }

const decompress = async (codec: Codec, file: Buffer, chunkSize = 64 * 1024): Promise<Buffer> =>
  await collect(codec.decompress(inChunks(file, chunkSize)))

function forEachCodec (name: string, test: (t: Test, codec: Codec) => Promise<void>): void {
  for (const [codecName, codec] of codecs) t.test(`${codecName}: ${name}`, async (t) => { await test(t, codec) })
}

t.test('the first bytes show the compression', async (t) => {
  t.equal(compressionOf(gzipSync('x')), 'gzip')
  t.equal(compressionOf(rawFrame([Buffer.from('x')])), 'zstd')
  for (const kind of [0, 15]) t.equal(compressionOf(skippableFrame(Buffer.from('x'), kind)), 'zstd')
  for (const start of ['{"manifest":', ' ', '', '{}\n']) t.equal(compressionOf(Buffer.from(start)), 'none')
  t.equal(compressionOf(Buffer.from([0x28, 0xb5, 0x2f])), 'none')
})

t.test('Zstandard is refused where Node.js does not have it', async (t) => {
  t.equal(createZstdCodec({ constants: {} }), undefined)
  t.throws(() => requireCodec('zstd', { gzip: undefined, zstd: undefined }), {
    code: 'FST_BACKUP_COMPRESSION_UNSUPPORTED', message: /use 22.15 or a newer one/
  })
})

forEachCodec('frames and stored frames are decompressed, in chunks of any size', async (t, codec) => {
  const [first, second] = [randomBytes(5000), Buffer.from('{"id":"1"},\n'.repeat(2000))]
  const file = Buffer.concat([
    codec.store(first), await codec.compress(second, undefined), await codec.compress(first, 1), codec.store(second)
  ])
  const expected = Buffer.concat([first, second, first, second])
  for (const size of [1, 7, 61, 1000, file.length - 1, file.length]) {
    t.ok((await decompress(codec, file, size)).equals(expected), `chunks of ${size} bytes`)
  }
})

forEachCodec('the size of a stored frame depends on the number of its bytes only', async (t, codec) => {
  for (const size of [0, 1, 65_535, 65_536, 131_072, 131_073, 400_000]) {
    const bytes = randomBytes(size)
    const stored = codec.store(bytes)
    t.equal(stored.length, codec.storedSize(size), String(size))
    t.ok((await decompress(codec, stored)).equals(bytes))
  }
})

forEachCodec('the index contains the frames, and is not part of the content', async (t, codec) => {
  const content = Buffer.from('content')
  for (const count of [1, 2, 8191, 8192, 20_000]) {
    // Only their sum is compared with the file
    const storedBytes = codec.storedSize(content.length)
    const frames: Frame[] = Array.from({ length: count }, (_, index) =>
      ({ storedBytes: index === 0 ? storedBytes : 0, plainBytes: 2 ** 32 - 1 - index }))
    const file = Buffer.concat([codec.store(content), codec.encodeIndex(frames)])
    const read = async (start: number, end: number): Promise<Buffer> => file.subarray(start, end)
    t.strictSame(await codec.readIndex(read, file.length), frames)
    t.ok((await decompress(codec, file)).equals(content))
  }
})

forEachCodec('a file without a valid index has none', async (t, codec) => {
  const storedBytes = codec.storedSize(1)
  const index = codec.encodeIndex([{ storedBytes, plainBytes: 1 }, { storedBytes, plainBytes: 1 }])
  const file = Buffer.concat([codec.store(Buffer.from('x')), codec.store(Buffer.from('y')), index])
  const framesOf = async (bytes: Buffer): Promise<Frame[] | undefined> =>
    await codec.readIndex(async (start, end) => bytes.subarray(start, end), bytes.length)
  t.equal((await framesOf(file))?.length, 2)
  t.equal(await framesOf(Buffer.alloc(0)), undefined)
  t.equal(await framesOf(codec.store(randomBytes(100))), undefined)
  for (let length = 0; length < file.length; length++) {
    const frames = await framesOf(file.subarray(0, length))
    t.equal(frames, undefined, `the first ${length} bytes`)
  }
  t.equal(await framesOf(Buffer.concat([codec.store(Buffer.from('x')), index])), undefined, 'a frame is missing')
  t.equal(await framesOf(Buffer.concat([codec.store(Buffer.from('x')), codec.encodeIndex([])])), undefined)
  for (let position = file.length - index.length; position < file.length; position++) {
    const damaged = Buffer.from(file)
    damaged[position] = Number(damaged[position]) ^ 0xff
    const frames = await framesOf(damaged)
    t.ok(frames === undefined || frames.length === 2, `byte ${position}`)
  }
})

forEachCodec('a file that is truncated, damaged or followed by something is refused', async (t, codec) => {
  const bytes = Buffer.from('{"id":"1","name":"Ada"},\n'.repeat(200))
  const file = Buffer.concat([await codec.compress(bytes, undefined), codec.store(bytes)])
  const first = (await codec.compress(bytes, undefined)).length
  for (let length = 1; length < file.length; length += length < 100 ? 1 : 499) {
    if (length !== first) await t.rejects(decompress(codec, file.subarray(0, length)), invalid, `${length} bytes`)
  }
  for (const rest of ['garbage', '\0', '\0'.repeat(100_000)]) {
    for (const chunkSize of [file.length, 1000, 10 ** 6]) {
      await t.rejects(decompress(codec, Buffer.concat([file, Buffer.from(rest)]), chunkSize), invalid, rest.slice(0, 8))
    }
  }
  const damaged = Buffer.from(file)
  // Headers, and the blocks of gzip: a checksum of the snapshot proves its rows
  damaged.fill(0xff, 5, 30)
  await t.rejects(decompress(codec, damaged), invalid)
})

forEachCodec('an error of the storage is passed on as it is', async (t, codec) => {
  const file = await codec.compress(randomBytes(300_000), undefined)
  async function * failing (): AsyncGenerator<Buffer> {
    yield file.subarray(0, 100_000)
    throw new Error('the disk is gone')
  }
  await t.rejects(collect(codec.decompress(failing())), { message: 'the disk is gone' })
})

for (const [index, library] of zstdLibraries.entries()) {
  const codec = createZstdCodec(library) as Codec
  t.test(`zstd ${index}: frames of other programs`, async (t) => {
    const content = Buffer.from('{"id":"1"},\n'.repeat(12_000))
    for (const contentSizeBytes of [0, 4, 8] as const) {
      // Zstandard refuses a wrong size of the content, and fields of 0 are right for a frame without content. A field
      // of two bytes is not among them: it has the size minus 256
      const options = contentSizeBytes === 0 ? {} : { contentSizeBytes }
      const blocks = contentSizeBytes === 0 ? rawBlocks(content) : [Buffer.alloc(0)]
      const file = Buffer.concat([
        skippableFrame(randomBytes(1000), 3), rawFrame(blocks, options), skippableFrame(Buffer.alloc(0), 15)
      ])
      for (const size of [3, 1000, file.length]) {
        t.ok((await decompress(codec, file, size)).equals(Buffer.concat(blocks)), `${contentSizeBytes}`)
      }
    }
    const repeated = rawFrame([{ byte: 0x20, count: 1000 }, Buffer.from('x')])
    t.equal((await decompress(codec, repeated)).toString(), `${' '.repeat(1000)}x`)
  })
}

t.test('zstd: a block that cannot be decompressed is refused', async (t) => {
  for (const library of zstdLibraries) {
    const frame = rawFrame([Buffer.alloc(100, 0xff)])
    // A block that is compressed, of the same size
    frame.writeUInt8(frame.readUInt8(6) | 0b100, 6)
    await t.rejects(decompress(createZstdCodec(library) as Codec, frame), {
      code: 'FST_BACKUP_SNAPSHOT_INVALID', message: /cannot be decompressed \(\w+\)/
    })
  }
})

t.test('the header of a frame may have fields of every size', async (t) => {
  const [raw] = zstdLibraries
  const codec = createZstdCodec(raw as NonNullable<typeof raw>) as Codec
  for (const hasChecksum of [false, true]) {
    for (const dictionaryBytes of [0, 1, 2, 4] as const) {
      for (const contentSizeBytes of [0, 1, 2, 4, 8] as const) {
        const fields = { hasChecksum, dictionaryBytes, contentSizeBytes }
        const frame = rawFrame([Buffer.from('ab'), Buffer.from('c')], fields)
        for (const size of [1, 3, 100]) {
          t.equal((await decompress(codec, Buffer.concat([frame, frame]), size)).toString(), 'abcabc')
        }
      }
    }
  }
})
