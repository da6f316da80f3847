import { Readable } from 'node:stream'
import t from 'tap'
import { createServedStreams } from '../../lib/worker/served-streams.ts'
import { createGate } from '../support/storage-double.ts'

t.test('the bytes come a chunk at a time, in memory of their own, and then the end', async (t) => {
  const pool = Buffer.from('of a larger piece of memory')
  const streams = createServedStreams(async () => Readable.from([pool.subarray(0, 2), pool.subarray(5, 11)]))
  const stream = await streams.open()
  const first = await streams.read(stream)
  t.same([first, first?.buffer.byteLength], [Buffer.from('of'), 2])
  t.same(await streams.read(stream), Buffer.from('larger'))
  t.equal(await streams.read(stream), null)
  t.equal(await streams.read(stream), null, 'whoever asks again')
})

t.test('each has a number of its own, and closing one leaves the others', async (t) => {
  const sources = [Readable.from([Buffer.from('a')]), Readable.from([Buffer.from('b')])]
  let opened = 0
  const streams = createServedStreams(async () => sources[opened++] as Readable)
  const [first, second] = [await streams.open(), await streams.open()]
  streams.close(first)
  t.strictSame(sources.map(({ destroyed }) => destroyed), [true, false])
  t.same(await streams.read(second), Buffer.from('b'))
  streams.close(99)
  t.equal(await streams.read(99), null, 'one that was never opened has nothing')
})

t.test('a stream that fails says so to who reads, and to nobody else', async (t) => {
  const broken = new Error('the disk is gone')
  const source = new Readable({ read () {} })
  const streams = createServedStreams(async () => source)
  const stream = await streams.open()
  // With nobody reading it as yet
  source.destroy(broken)
  await new Promise((resolve) => { source.once('close', resolve) })
  t.equal(await streams.read(stream).catch((error) => error), broken)
})

t.test('what is open is closed with all the others, and so is what opens later', async (t) => {
  const opening = createGate()
  const sources = [new Readable({ read () {} }), new Readable({ read () {} })]
  let opened = 0
  const streams = createServedStreams(async () => {
    const source = sources[opened++] as Readable
    if (opened === 2) await opening.pass()
    return source
  })
  const first = await streams.open()
  const reading = streams.read(first)
  const late = streams.open()
  streams.closeAll()
  await t.rejects(reading, { code: 'ERR_STREAM_PREMATURE_CLOSE' }, 'who reads does not wait for ever')
  opening.open()
  await late
  t.ok(sources.every(({ destroyed }) => destroyed))
})
