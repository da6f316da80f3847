import type { ByteSink } from '../../lib/pipeline/byte-sink.ts'

export interface MemorySink extends ByteSink {
  /** What was stored; complete after finish(). */
  bytes: () => Buffer
  /** How often discard() was called. */
  readonly discarded: number
}

/** @param fail called before each write, with its number */
export function createMemorySink (headSize: number, fail: (write: number) => void = () => {}): MemorySink {
  const parts: Buffer[] = [Buffer.alloc(headSize)]
  let writes = 0
  let discarded = 0
  return {
    get storedBytes () { return parts.reduce((sum, { length }) => sum + length, 0) },
    async write (pieces) {
      fail(++writes)
      for (const piece of pieces) parts.push(Buffer.from(piece))
    },
    async finish (head) {
      if (head.length !== headSize) throw new Error(`the head has ${head.length} bytes, and not ${headSize}`)
      parts[0] = Buffer.from(head)
    },
    async idle () {},
    async discard () { discarded++ },
    bytes: () => Buffer.concat(parts),
    get discarded () { return discarded }
  }
}
