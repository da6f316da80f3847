import { pipeline, Transform, type Readable } from 'node:stream'
import { Aborted, SnapshotInvalid } from '../errors.ts'

/**
 * The same bytes, but an error when there are not as many as announced. Node would leave the connection open, and the client
 * waiting for the rest of a file that was cut short. Destroying either stream destroys the other.
 */
export function requireLength (source: Readable, length: number): Readable {
  const changed = new SnapshotInvalid(`it does not have the ${length} bytes that its log says`)
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
  // One that is destroyed without an error was ended by us (app.close(), a client that has gone), and says nothing of the file. pipeline() takes it for
  // ended when it was read to its end, but not yet taken
  source.once('close', () => {
    if (!source.readableEnded) counter.destroy(source.errored ?? new Aborted('the download was broken off'))
  })
  return pipeline(source, counter, () => {})
}
