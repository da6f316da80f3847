import { Readable } from 'node:stream'
import t from 'tap'
import { createSharedStreams } from '../../lib/worker/shared-streams.ts'
import { createGate } from '../support/storage-double.ts'

t.test('read() returns one chunk at a time, in its own memory, and then null', async (t) => {
  const pool = Buffer.from('of a larger piece of memory')
  const streams = createSharedStreams(async () => Readable.from([pool.subarray(0, 2), pool.subarray(5, 11)]))
  const stream = await streams.open()
  const first = await streams.read(stream)
  t.same([first, first?.buffer.byteLength], [Buffer.from('of'), 2])
  t.same(await streams.read(stream), Buffer.from('larger'))
  t.equal(await streams.read(stream), null)
  t.equal(await streams.read(stream), null, 'and again null')
})

t.test('each stream has its own number, and closing one does not close the others', async (t) => {
  const sources = [Readable.from([Buffer.from('a')]), Readable.from([Buffer.from('b')])]
  let opened = 0
  const streams = createSharedStreams(async () => sources[opened++] as Readable)
  const [first, second] = [await streams.open(), await streams.open()]
  streams.close(first)
  t.strictSame(sources.map(({ destroyed }) => destroyed), [true, false])
  t.same(await streams.read(second), Buffer.from('b'))
  streams.close(99)
  t.equal(await streams.read(99), null, 'a stream that was never opened is at its end')
})

t.test('only read() reports the error of a stream', async (t) => {
  const broken = new Error('the disk is gone')
  const source = new Readable({ read () {} })
  const streams = createSharedStreams(async () => source)
  const stream = await streams.open()
  // Before the first read
  source.destroy(broken)
  await new Promise((resolve) => { source.once('close', resolve) })
  t.equal(await streams.read(stream).catch((error) => error), broken)
})

t.test('closeAll() closes the open streams, and those that open later', async (t) => {
  const opening = createGate()
  const sources = [new Readable({ read () {} }), new Readable({ read () {} })]
  let opened = 0
  const streams = createSharedStreams(async () => {
    const source = sources[opened++] as Readable
    if (opened === 2) await opening.pass()
    return source
  })
  const first = await streams.open()
  const reading = streams.read(first)
  const late = streams.open()
  streams.closeAll()
  await t.rejects(reading, { code: 'ERR_STREAM_PREMATURE_CLOSE' }, 'a pending read ends')
  opening.open()
  await late
  t.ok(sources.every(({ destroyed }) => destroyed))
})
