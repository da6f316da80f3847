import { Readable } from 'node:stream'
import { ArgumentInvalid, ImportInterrupted } from '../errors.ts'
import { createSpoolFile, discardSpoolFile, onStorage, writeAll } from './spool-file.ts'
import { kindOf } from '../own-error.ts'

/** How slow a source may be, in the time that it is waited for: then it gives its place to others. */
export interface Pace { bytesPerSecond: number, windowMs: number }

const slowestPace: Pace = { bytesPerSecond: 1024, windowMs: 60_000 }

/** A snapshot that arrives from elsewhere. */
export interface ReceivedFile {
  /** The bytes, each as soon as it is in the file. To be read once. */
  stream: Readable
  /** Fsyncs and closes. */
  finish: () => Promise<void>
  /** Closes and deletes the file; fine at any time. */
  discard: () => Promise<void>
}

/**
 * Writes what arrives to a new file at `path`, no faster than `stream` is read. `source` is not destroyed: who waits at its other
 * end may have to be answered by it.
 */
export async function receiveFile (source: AsyncIterable<unknown>, path: string, signal: AbortSignal, pace: Pace = slowestPace): Promise<ReceivedFile> {
  const file = await createSpoolFile(path)
  let writing: Promise<unknown> = Promise.resolve()

  async function * received (): AsyncGenerator<Buffer> {
    let position = 0
    for await (const bytes of arriving(source, signal, pace)) {
      const written = onStorage('write the snapshot', async () => await writeAll(file, bytes, position))
      writing = written.catch(() => {})
      position += await written
      yield bytes
    }
  }

  return {
    stream: Readable.from(received(), { objectMode: true, highWaterMark: 1 }),
    async finish () {
      await onStorage('finish the snapshot', async () => {
        await file.sync()
        await file.close()
      })
    },
    async discard () {
      await writing
      await discardSpoolFile(file, path)
    }
  }
}

async function * arriving (source: AsyncIterable<unknown>, signal: AbortSignal, pace: Pace): AsyncGenerator<Buffer> {
  // Not by way of return(), which would destroy it
  const chunks = source instanceof Readable ? source.iterator({ destroyOnReturn: false }) : source[Symbol.asyncIterator]()
  let waitedMs = 0
  let arrived = 0
  for (;;) {
    const asked = performance.now()
    const next = await unlessAborted(chunks.next(), signal, pace, pace.windowMs - waitedMs, arrived)
    if (next.done === true) return
    const bytes = bytesOf(next.value)
    waitedMs += performance.now() - asked
    arrived += bytes.length
    // With too few bytes the window stays open, and has no time left
    if (waitedMs >= pace.windowMs && arrived >= leastOf(pace)) {
      waitedMs = 0
      arrived = 0
    }
    yield bytes
  }
}

const leastOf = ({ bytesPerSecond, windowMs }: Pace): number => bytesPerSecond * windowMs / 1000
const tooSlow = ({ bytesPerSecond, windowMs }: Pace): Error => new ImportInterrupted(`fewer than ${bytesPerSecond} bytes a second for ${windowMs / 1000} s`)

/** A source that has gone quiet holds nobody. What has arrived in time may be enough for the window; then the next one is waited for as well. */
async function unlessAborted<T> (next: Promise<T>, signal: AbortSignal, pace: Pace, leftMs: number, arrived: number): Promise<T> {
  const over = new AbortController()
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<T>((resolve, reject) => {
      // First, since what it rejects with must have somebody to hear it
      next.then(resolve, (error: unknown) => { reject(new ImportInterrupted(kindOf(error))) })
      timer = setTimeout(() => { reject(tooSlow(pace)) }, arrived < leastOf(pace) ? leftMs : leftMs + pace.windowMs).unref()
      if (signal.aborted) reject(signal.reason)
      signal.addEventListener('abort', () => { reject(signal.reason) }, { signal: over.signal })
    })
  } finally {
    clearTimeout(timer)
    over.abort()
  }
}

function bytesOf (chunk: unknown): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
  throw new ArgumentInvalid('import() takes a stream of bytes')
}
