import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { CopyMessages, type TakeMessages } from '../../../lib/postgres/driver/copy-messages.ts'
import fc from '../../support/fast-check.ts'

const message = (type: string, body: Uint8Array | string): Buffer => {
  const header = Buffer.alloc(5, type)
  const bytes = Buffer.from(body)
  header.writeInt32BE(bytes.length + 4, 1)
  return Buffer.concat([header, bytes])
}

interface Received { rows: string[], others: Buffer }

/**
 * The result for `bytes` in chunks of these sizes; each is overwritten after it was received. Rows are taken between
 * `H` and `c`.
 */
function receive (bytes: Buffer, sizes: number[]): Received {
  const received: Received = { rows: [], others: Buffer.alloc(0) }
  const messages: CopyMessages = new CopyMessages((chunk) => {
    received.others = Buffer.concat([received.others, chunk])
    const text = received.others.toString('latin1')
    const isCopying = text.lastIndexOf('H\0\0\0\x04') > text.lastIndexOf('c\0\0\0\x04')
    messages.take = isCopying
      ? (row, start, end) => received.rows.push(row.toString('latin1', start, end)) > 0
      : undefined
  }, () => {})
  let position = 0
  for (let index = 0; position < bytes.length; index++) {
    const chunk = bytes.subarray(position, position + (sizes[index % sizes.length] as number))
    const memory = Buffer.alloc(chunk.length + 3, 'd')
    chunk.copy(memory)
    messages.receive(memory, chunk.length)
    memory.fill(0xff)
    position += chunk.length
  }
  return received
}

const rows = ['1\tAda\n', '', '2\tBob\n', 'x'.repeat(300)]
const before = Buffer.concat([
  message('R', '\0\0\0\0'), message('S', 'd'.repeat(20)), message('d', 'not for a COPY'), message('H', '')
])
const after = Buffer.concat([message('N', 'a notice'), message('c', ''), message('C', 'COPY 4'), message('Z', 'T')])
const stream = Buffer.concat([before, ...rows.map((row) => message('d', row)), after])

t.test('rows are passed to take(), and everything else is forwarded unchanged', async (t) => {
  t.strictSame(receive(stream, [stream.length]), { rows, others: Buffer.concat([before, after]) })
})

t.test('in chunks of any size', async (t) => {
  const others = Buffer.concat([before, after])
  for (let size = 1; size <= stream.length; size++) t.strictSame(receive(stream, [size]), { rows, others })
})

t.test('any stream, in chunks of any sizes', async (t) => {
  const body = fc.uint8Array({ maxLength: 40 })
  const copies = fc.array(fc.array(body, { maxLength: 4 }), { maxLength: 3 })
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 })
  const [begin, end] = [message('H', ''), Buffer.concat([message('c', ''), message('C', 'COPY')])]
  const property = fc.property(copies, sizes, (copies, sizes) => {
    const bytes = Buffer.concat(copies.flatMap((rows) => [begin, ...rows.map((row) => message('d', row)), end]))
    const { rows, others } = receive(bytes, sizes)
    const expected = copies.flat().map((row) => Buffer.from(row).toString('latin1'))
    return isDeepStrictEqual(rows, expected) && others.equals(Buffer.concat(copies.flatMap(() => [begin, end])))
  })
  t.doesNotThrow(() => { fc.assert(property) })
})

/** Collects the rows of messages that arrive in parts, as takeMessages() gets them. */
function createMessageTaker (rows: string[]): TakeMessages {
  let part = Buffer.alloc(0)
  return (bytes, start, end) => {
    let position = start
    while (position < end) {
      if (part.length === 0 && (end - position < 5 || bytes[position] !== 0x64)) break
      const missing = part.length === 0
        ? 1 + bytes.readUInt32BE(position + 1)
        : 1 + part.readUInt32BE(1) - part.length
      const stop = Math.min(end, position + missing)
      part = Buffer.concat([part, bytes.subarray(position, stop)])
      position = stop
      if (part.length === 1 + part.readUInt32BE(1)) {
        rows.push(part.toString('latin1', 5))
        part = Buffer.alloc(0)
      }
    }
    return { position, proceed: true }
  }
}

t.test('takeMessages() gets the rows in any parts, and everything else is forwarded unchanged', async (t) => {
  const others = Buffer.concat([before, after, before, after])
  const twice = Buffer.concat([stream, stream])
  for (const size of [...Array.from({ length: 64 }, (_, index) => index + 1), 300, 350, twice.length]) {
    const taken: string[] = []
    const take = createMessageTaker(taken)
    let forwarded = Buffer.alloc(0)
    const messages: CopyMessages = new CopyMessages((chunk) => {
      forwarded = Buffer.concat([forwarded, chunk])
      const text = forwarded.toString('latin1')
      const isCopying = text.lastIndexOf('H\0\0\0\x04') > text.lastIndexOf('c\0\0\0\x04')
      messages.takeMessages = isCopying ? take : undefined
    }, () => {})
    for (let position = 0; position < twice.length; position += size) {
      const chunk = Buffer.from(twice.subarray(position, position + size))
      messages.receive(chunk, chunk.length)
      chunk.fill(0xff)
    }
    t.strictSame({ taken, forwarded }, { taken: [...rows, ...rows], forwarded: others })
  }
})

t.test('takeMessages() that does not proceed pauses', async (t) => {
  let held = 0
  const messages = new CopyMessages(() => {}, () => { held++ })
  messages.takeMessages = (_bytes, _start, end) => ({ position: end, proceed: false })
  const bytes = Buffer.concat(['a', 'b', 'c'].map((row) => message('d', row)))
  messages.receive(bytes, bytes.length)
  t.equal(held, 1)
})

t.test('take() that returns false pauses once, and still gets the rows that have arrived', async (t) => {
  let held = 0
  const taken: string[] = []
  const messages = new CopyMessages(() => {}, () => { held++ })
  messages.take = (bytes, start, end) => taken.push(bytes.toString('latin1', start, end)) !== 2
  const bytes = Buffer.concat(['a', 'b', 'c'].map((row) => message('d', row)))
  messages.receive(bytes, bytes.length)
  t.strictSame(taken, ['a', 'b', 'c'])
  t.equal(held, 1)
})

t.test('data that is not a message of PostgreSQL is forwarded unchanged', async (t) => {
  const texts = [
    'HTTP/1.1 400 Bad Request\r\n\r\n', 'J\x80\0\0\0 and more', 'J\xff\xff\xff\xff and more', 'd\0\0\0\x03 and more',
    'd\0\0\0\0'
  ]
  for (const foreign of texts) {
    const bytes = Buffer.concat([message('S', 'before'), Buffer.from(foreign, 'latin1'), Buffer.from('and later')])
    for (const size of [1, 7, bytes.length]) {
      t.strictSame(receive(bytes, [size]), { rows: [], others: bytes }, `${foreign}, ${size} at a time`)
    }
  }
})

t.test('what arrives between hold() and release() is processed at the release', async (t) => {
  for (const size of [1, 7, 1000]) {
    const events: string[] = []
    let pauses = 0
    const messages: CopyMessages = new CopyMessages((chunk) => {
      events.push(...chunk.toString('latin1').replace(/[^Hc]/g, ''))
      // At the beginning of each COPY
      if (events.at(-1) === 'H') messages.hold()
    }, () => { pauses++ })
    messages.take = (bytes, start, end) => events.push(bytes.toString('latin1', start, end)) > 0
    const copy = [message('H', ''), message('d', 'one'), message('d', 'two'), message('c', '')]
    const bytes = Buffer.concat([...copy, ...copy])
    for (let position = 0; position < bytes.length; position += size) {
      const chunk = Buffer.from(bytes.subarray(position, position + size))
      messages.receive(chunk, chunk.length)
      chunk.fill(0xff)
    }
    t.strictSame(events, ['H'], `${size} at a time`)
    messages.release()
    t.strictSame(events, ['H', 'one', 'two', 'c', 'H'])
    messages.release()
    messages.release()
    t.strictSame(events, ['H', 'one', 'two', 'c', 'H', 'one', 'two', 'c'])
    t.equal(pauses, 2)
  }
})
