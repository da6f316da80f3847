import { pipeline, Transform, type Readable } from 'node:stream'
import { Aborted, SnapshotInvalid } from '../errors.ts'

/**
 * Passes the bytes on, and fails when their number is not `length`, the Content-Length of the response. Without the
 * error, Node.js would keep the connection open while the client waits for the rest of a truncated file. Destroying
 * either stream destroys the other.
 */
export function requireLength (file: Readable, length: number): Readable {
  const changed = new SnapshotInvalid(`it does not have the ${length} bytes that its row in the log has`)
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
  // A stream destroyed without an error was ended by the service (app.close()) or because the client disconnected,
  // which does not mean that the file is damaged. pipeline() treats such a stream as complete if it has been read to
  // its end but not yet consumed
  file.once('close', () => {
    if (!file.readableEnded) counter.destroy(file.errored ?? new Aborted('the download was interrupted'))
  })
  return pipeline(file, counter, () => {})
}
