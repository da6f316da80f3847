import { pipeline, Transform, type Readable } from 'node:stream'
import { Aborted, SnapshotInvalid } from '../errors.ts'

/**
 * Passes the bytes on, and fails when their number is not `length`, the Content-Length of the response. Without the
 * error, Node.js would keep the connection open while the client waits for the rest of a truncated file. Destroying
 * either stream destroys the other.
 */
export function requireLength (source: Readable, length: number): Readable {
  const changed = new SnapshotInvalid(`it does not have the ${length} bytes that its log row says`)
  let left = length
  const counter = new Transform({
    transform (chunk: Buffer, encoding, done) {
      left -= chunk.length
      done(left < 0 ? changed : null, chunk)
    },
    flush (done) {
      done(left > 0 ? changed : null)
    }
  })
  // A source destroyed without an error was ended by the service (app.close()) or because the client disconnected,
  // which does not mean that the file is damaged. pipeline() treats such a source as complete if it has been read to
  // its end but not yet consumed
  source.once('close', () => {
    if (!source.readableEnded) counter.destroy(source.errored ?? new Aborted('the download was interrupted'))
  })
  return pipeline(source, counter, () => {})
}
