import { Readable } from 'node:stream'
import { ArgumentInvalid, ImportInterrupted } from '../errors.ts'
import { createSpoolFile, discardSpoolFile, onStorage, writeAll } from '../snapshot/spool-file.ts'
import { kindOf } from './outcome.ts'

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
export async function receiveFile (source: AsyncIterable<unknown>, path: string, signal: AbortSignal): Promise<ReceivedFile> {
  const file = await createSpoolFile(path)
  let writing: Promise<unknown> = Promise.resolve()

  async function * received (): AsyncGenerator<Buffer> {
    let position = 0
    for await (const bytes of arriving(source, signal)) {
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

async function * arriving (source: AsyncIterable<unknown>, signal: AbortSignal): AsyncGenerator<Buffer> {
  // Not by way of return(), which would destroy it
  const chunks = source instanceof Readable ? source.iterator({ destroyOnReturn: false }) : source[Symbol.asyncIterator]()
  for (;;) {
    const next = await unlessAborted(chunks.next(), signal)
    if (next.done === true) return
    yield bytesOf(next.value)
  }
}

/** A source that has gone quiet holds nobody. */
async function unlessAborted<T> (next: Promise<T>, signal: AbortSignal): Promise<T> {
  const over = new AbortController()
  try {
    return await new Promise<T>((resolve, reject) => {
      // First, since what it rejects with must have somebody to hear it
      next.then(resolve, (error: unknown) => { reject(new ImportInterrupted(kindOf(error))) })
      if (signal.aborted) reject(signal.reason)
      signal.addEventListener('abort', () => { reject(signal.reason) }, { signal: over.signal })
    })
  } finally {
    over.abort()
  }
}

function bytesOf (chunk: unknown): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
  throw new ArgumentInvalid('import() takes a stream of bytes')
}
