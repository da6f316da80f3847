import type { Writable } from 'node:stream'
import type { Runner } from './query.ts'

/** A `COPY … FROM STDIN` that is under way. */
export interface CopyIn {
  /** Resolves when the next chunk may come; chunks need not end at row ends. Rejects with the server's error. */
  write: (chunk: Uint8Array) => Promise<void>
  /** Ends it and gives the number of rows stored. */
  end: () => Promise<number>
  /** Makes the server fail it (CopyFail), and resolves when it has. */
  abort: () => Promise<void>
}

interface Settlable { resolve: (result: { count: number }) => void, reject: (error: unknown) => void }

/**
 * Starts `COPY … FROM STDIN`.
 *
 * A COPY that fails after its last byte never settles in postgres.js 3.4.9 (porsager/postgres#1173): `final()` drops the stream, and
 * the error goes to the query, which resolved when the stream was handed out. The query's own `resolve` and `reject` are
 * properties, so they are pointed at a promise of ours. The test "a duplicate key" tells when that is mended.
 */
export async function openCopyIn (runner: Runner, text: string): Promise<CopyIn> {
  const query = runner.unsafe(text)
  const stream: Writable = await query.writable()
  const outcome = new Promise<{ count: number }>((resolve, reject) => {
    Object.assign(query as unknown as Settlable, { resolve, reject })
  })
  // Told by write() or end(), whichever comes next
  outcome.catch(() => {})
  stream.on('error', () => {})
  let sent: Promise<unknown> = Promise.resolve()

  return {
    async write (chunk) {
      // One chunk is on its way while the next one is made. It arrives also when the COPY has failed: then nobody reads it
      await sent
      if (stream.destroyed) await outcome
      sent = new Promise<void>((resolve) => { stream.write(chunk, () => { resolve() }) })
    },
    async end () {
      // A Writable destroys itself when it has finished, for which postgres.js has but one message: CopyFail, behind CopyDone. The
      // server passes over it, without the answer that the next statement would then wait for, 40 ms each time
      stream._destroy = (error, done) => { done(error) }
      stream.end()
      return (await outcome).count
    },
    async abort () {
      stream.destroy(new Error('aborted'))
      await outcome.catch(() => {})
    }
  }
}
