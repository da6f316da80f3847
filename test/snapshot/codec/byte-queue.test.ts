import fc from '../../support/fast-check.ts'
import t from 'tap'
import { ByteQueue, pieceSize } from '../../../lib/snapshot/codec/byte-queue.ts'
import { toWords, wordOf, WordView } from '../../../lib/snapshot/codec/four-byte-words.ts'

const all = (queue: ByteQueue): Buffer => Buffer.concat(queue.take())

t.test('take() returns all bytes in order and once', async (t) => {
  const queue = new ByteQueue()
  queue.append(Buffer.from('one '))
  queue.appendByte(0x32)
  queue.appendRange(Buffer.from('[ three]'), 1, 7)
  t.equal(all(queue).toString(), 'one 2 three')
  t.strictSame(queue.take(), [])
})

t.test('appendWords() appends a constant of any size', async (t) => {
  const queue = new ByteQueue()
  for (const text of ['', 'a', 'ab', 'abc', 'abcd', 'abcde', '"key":']) queue.appendWords(toWords(text))
  t.equal(all(queue).toString(), 'aababcabcdabcde"key":')
})

t.test('appendPlain() copies up to the first special byte, or up to the given end', async (t) => {
  const text = fc.uint8Array({ maxLength: 20, min: 0x1f, max: 0x23 })
  const property = fc.property(text, fc.nat(5), fc.nat(5), (bytes, before, after) => {
    const queue = new ByteQueue()
    const memory = Buffer.concat([Buffer.alloc(before, '"'), bytes, Buffer.alloc(after, '"')])
    const found = bytes.findIndex((byte) => byte < 0x20 || byte === 0x21 || byte === 0x22)
    const size = found === -1 ? bytes.length : found
    queue.reserve(bytes.length)
    const position = queue.appendPlain(
      new WordView(memory),
      before,
      before + bytes.length,
      wordOf(0x21),
      wordOf(0x22)
    )
    return position === before + size && all(queue).equals(Buffer.from(bytes.subarray(0, size)))
  })
  t.doesNotThrow(() => { fc.assert(property) })
})

t.test('reserve() makes room for the unused bytes of the last word', async (t) => {
  const queue = new ByteQueue()
  queue.append(Buffer.alloc(pieceSize - 4, 'x'))
  queue.appendWords(toWords('y'))
  queue.reserve(1)
  t.doesNotThrow(() => { queue.view.setInt32(queue.length, 0) })
  t.equal(all(queue).toString(), 'x'.repeat(pieceSize - 4) + 'y')
})

t.test('a full piece is followed by the next one, however the bytes are appended', async (t) => {
  const one = Buffer.from('x')
  const appends: Record<string, (queue: ByteQueue) => void> = {
    append: (queue) => { queue.append(one) },
    appendByte: (queue) => { queue.appendByte(0x78) },
    appendWords: (queue) => { queue.appendWords(toWords('x')) },
    appendRange: (queue) => { queue.appendRange(one, 0, 1) }
  }
  for (const [name, append] of Object.entries(appends)) {
    const queue = new ByteQueue()
    for (let bytes = 0; bytes < pieceSize + 5; bytes++) append(queue)
    t.ok(all(queue).equals(Buffer.alloc(pieceSize + 5, 'x')), name)
  }
})

t.test('giveBack() makes the memory of a piece available again', async (t) => {
  const queue = new ByteQueue()
  queue.append(Buffer.from('first'))
  const first = queue.take()
  queue.giveBack(first)
  queue.append(Buffer.alloc(pieceSize + 1, 'x'))
  const [second] = queue.take()
  t.not(second?.buffer, first[0]?.buffer)
  queue.append(Buffer.from('third'))
  const third = queue.take()
  t.equal(third[0]?.buffer, first[0]?.buffer)
  t.equal(String(third[0]), 'third')
  queue.giveBack([second as Buffer])
  queue.append(Buffer.from('fourth'))
  t.not(queue.take()[0]?.buffer, second?.buffer)
})

t.test('a caller may write to the buffer after reserve()', async (t) => {
  const queue = new ByteQueue()
  queue.append(Buffer.from('a'))
  queue.reserve(3)
  queue.length += queue.bytes.write('bcd', queue.length)
  t.equal(all(queue).toString(), 'abcd')
})

t.test('reserve() makes any amount of room and keeps all bytes', async (t) => {
  const queue = new ByteQueue()
  queue.append(Buffer.from('before'))
  queue.reserve(3 * pieceSize)
  t.ok(queue.bytes.length - queue.length >= 3 * pieceSize)
  queue.append(Buffer.alloc(2 * pieceSize, 'x'))
  t.equal(all(queue).toString(), 'before' + 'x'.repeat(2 * pieceSize))
})

t.test('a queue is full with enough bytes for a write, and not after take()', async (t) => {
  const queue = new ByteQueue()
  queue.append(Buffer.alloc(pieceSize / 2))
  t.notOk(queue.full)
  queue.appendByte(0)
  t.ok(queue.full)
  queue.take()
  t.notOk(queue.full)
})

t.test('a queue is full when one piece is complete', async (t) => {
  const queue = new ByteQueue()
  queue.append(Buffer.from('x'))
  queue.reserve(pieceSize)
  t.ok(queue.full)
})

t.test('bytes that were taken do not change', async (t) => {
  const queue = new ByteQueue()
  queue.append(Buffer.from('first'))
  const [first] = queue.take()
  queue.append(Buffer.from('second'))
  t.equal(first?.toString(), 'first')
  t.equal(all(queue).toString(), 'second')
})

t.test('reset() discards the bytes after a mark, even over several pieces', async (t) => {
  const queue = new ByteQueue()
  queue.append(Buffer.from('kept'))
  const mark = queue.mark()
  queue.append(Buffer.alloc(pieceSize, 'x'))
  queue.append(Buffer.alloc(pieceSize, 'y'))
  queue.reset(mark)
  queue.append(Buffer.from(' and more'))
  t.equal(all(queue).toString(), 'kept and more')
})

t.test('any sequence of calls concatenates the bytes', async (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.integer({ min: 0, max: pieceSize + 1 }).map((size) => new Uint8Array(size).fill(size))
  )
  const call = fc.oneof(
    fc.record({ append: bytes }),
    fc.record({ range: bytes }),
    fc.record({ byte: fc.nat(255) }),
    fc.record({ reserve: fc.nat(2 * pieceSize) }),
    fc.constant({ take: true }),
    fc.record({ undone: bytes })
  )
  const property = fc.property(fc.array(call, { maxLength: 12 }), (calls) => {
    const queue = new ByteQueue()
    const expected: Uint8Array[] = []
    const taken: Buffer[] = []
    for (const one of calls) {
      if ('append' in one) {
        queue.append(one.append)
        expected.push(one.append)
      } else if ('range' in one) {
        queue.appendRange(Buffer.concat([Buffer.from('<<'), one.range, Buffer.from('>')]), 2, 2 + one.range.length)
        expected.push(one.range)
      } else if ('byte' in one) {
        queue.appendByte(one.byte)
        expected.push(Uint8Array.of(one.byte))
      } else if ('reserve' in one) {
        queue.reserve(one.reserve)
      } else if ('undone' in one) {
        const mark = queue.mark()
        queue.append(one.undone)
        queue.reset(mark)
      } else {
        taken.push(...queue.take())
      }
    }
    taken.push(...queue.take())
    return Buffer.concat(taken).equals(Buffer.concat(expected))
  })
  t.doesNotThrow(() => { fc.assert(property) })
})
