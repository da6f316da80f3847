import { Readable } from 'node:stream'
import { ArgumentInvalid, ImportInterrupted } from '../errors.ts'
import { createSpoolFile, discardSpoolFile, onStorage, writeAll } from './spool-file.ts'
import { kindOf } from '../own-error.ts'
import { startSize } from '../pipeline/codecs.ts'

/**
 * The slowest rate that an upload may have over the time that this service waits for it. A slower import ends, so that
 * others can start.
 */
export interface Pace { bytesPerSecond: number, windowMs: number }

const slowestPace: Pace = { bytesPerSecond: 1024, windowMs: 60_000 }

/** A snapshot that an import receives. */
export interface ReceivedFile {
  /** The bytes, each after it has been written to the file. Can be read once. */
  stream: Readable
  /** The bytes that have been written so far, and the first of them. */
  readonly written: { bytes: number, start: Buffer }
  /** Syncs and closes the file. */
  finish: () => Promise<void>
  /** Closes and deletes the file. May be called at any time. */
  discard: () => Promise<void>
}

/**
 * Writes what `upload` yields to a new file at `path`, no faster than `stream` is read. Does not destroy `upload`: it
 * may be a socket that is still needed for the answer.
 */
export async function receiveFile (
  upload: AsyncIterable<unknown>,
  path: string,
  signal: AbortSignal,
  pace: Pace = slowestPace
): Promise<ReceivedFile> {
  const file = await createSpoolFile(path)
  let writing: Promise<unknown> = Promise.resolve()
  let position = 0
  let start = Buffer.alloc(0)

  async function * received (): AsyncGenerator<Buffer> {
    for await (const bytes of arriving(upload, signal, pace)) {
      const written = onStorage('write the snapshot', async () => await writeAll(file, bytes, position))
      writing = written.catch(() => {})
      position += await written
      if (start.length < startSize) start = Buffer.concat([start, bytes.subarray(0, startSize)])
      yield bytes
    }
  }

  return {
    stream: Readable.from(received(), { objectMode: true, highWaterMark: 1 }),
    get written () { return { bytes: position, start } },
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

async function * arriving (upload: AsyncIterable<unknown>, signal: AbortSignal, pace: Pace): AsyncGenerator<Buffer> {
  // The default iterator destroys the stream in return()
  const chunks = upload instanceof Readable
    ? upload.iterator({ destroyOnReturn: false })
    : upload[Symbol.asyncIterator]()
  let waitedMs = 0
  let arrived = 0
  for (;;) {
    const started = performance.now()
    const next = await nextChunk(chunks.next(), signal, pace, { waitedMs, arrived })
    if (next.done === true) return
    const bytes = bytesOf(next.value)
    waitedMs += performance.now() - started
    arrived += bytes.length
    // While too few bytes have arrived, the window does not end, and no time is left in it
    if (waitedMs >= pace.windowMs && arrived >= leastOf(pace)) {
      waitedMs = 0
      arrived = 0
    }
    yield bytes
  }
}

/** The bytes that must arrive within a window. */
const leastOf = ({ bytesPerSecond, windowMs }: Pace): number => bytesPerSecond * windowMs / 1000

const tooSlow = ({ bytesPerSecond, windowMs }: Pace): Error =>
  new ImportInterrupted(`fewer than ${bytesPerSecond} bytes a second for ${windowMs / 1000} s`)

/**
 * Resolves with `next`. Rejects when `signal` aborts or when the upload is too slow: so far, `arrived` bytes came in a
 * window in which this service waited for `waitedMs`. When these bytes suffice for the window, the time of the next
 * window is added.
 */
async function nextChunk<T> (
  next: Promise<T>,
  signal: AbortSignal,
  pace: Pace,
  { waitedMs, arrived }: { waitedMs: number, arrived: number }
): Promise<T> {
  const leftMs = pace.windowMs - waitedMs + (arrived < leastOf(pace) ? 0 : pace.windowMs)
  const over = new AbortController()
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<T>((resolve, reject) => {
      // First, so that a rejection of `next` is always handled
      next.then(resolve, (error: unknown) => { reject(new ImportInterrupted(kindOf(error))) })
      timer = setTimeout(() => { reject(tooSlow(pace)) }, leftMs).unref()
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
  throw new ArgumentInvalid('import() accepts a stream of bytes')
}
