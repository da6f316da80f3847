import { pipeline, Transform, type Readable } from 'node:stream'
import { Aborted, SnapshotInvalid } from '../errors.ts'

/**
 * Passes the bytes on, and fails when their number is not `length`, the Content-Length of the response. Without the
 * error, Node.js would keep the connection open while the client waits for the rest of a truncated file. Destroying
 * either stream destroys the other.
 *
 * The chunk with the last byte is held back until the file ends, so that both reach the response in the same tick. A
 * client may close the connection when it has received Content-Length bytes, and Fastify would log a response that has
 * not ended by then as "stream closed prematurely".
 */
export function requireLength (file: Readable, length: number): Readable {
  const changed = new SnapshotInvalid(`it does not have the ${length} bytes that its row in the log has`)
  let left = length
  let last: Buffer | undefined
  const counter = new Transform({
    transform (chunk: Buffer, encoding, done) {
      left -= chunk.length
      if (left < 0) return done(changed)
      if (left > 0) return done(null, chunk)
      if (chunk.length > 0) last = chunk
      done()
    },
    flush (done) {
      done(left > 0 ? changed : null, last)
    }
  })
  // A stream destroyed without an error was ended by the service (app.close()) or because the client disconnected,
  // which does not mean that the file is damaged. pipeline() treats such a stream as complete if it has been read to
  // its end but not yet consumed
  file.once('close', () => {
    if (!file.readableEnded) counter.destroy(file.errored ?? new Aborted('the download was interrupted'))
  })
  return pipeline(file, counter, () => {})
}
