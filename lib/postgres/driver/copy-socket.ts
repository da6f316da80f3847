import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net'
import type { Readable } from 'node:stream'
import { resumeSocket } from './internals.ts'
import { CopyMessages, type TakeRow } from './copy-messages.ts'

/** New memory for each chunk that arrives would keep the garbage collector busy. */
const bufferSize = 256 * 1024

/**
 * A socket that gives the rows of `COPY … TO STDOUT` to whoever takes them, straight from where they arrived, and everything else to
 * postgres.js. That would make three Buffers of each row and a stream event, which for short rows takes as long as the server does.
 */
export class CopySocket extends Socket {
  readonly #messages: CopyMessages

  constructor () {
    const options: SocketConstructorOpts & { onread: OnReadOpts } = {
      onread: {
        buffer: Buffer.allocUnsafeSlow(bufferSize),
        callback: (size, buffer) => {
          this.#messages.receive(buffer as Buffer, size)
          return true
        }
      }
    }
    super(options)
    this.#messages = new CopyMessages((chunk) => { this.emit('data', chunk) }, () => { this.pause() })
  }

  /** Each row from now on; without `take`, none. */
  takeRows (take?: TakeRow): void {
    this.#messages.take = take
  }

  override resume (): this {
    if (isAsked) resumed = this
    return super.resume()
  }
}

let isAsked = false
let resumed: CopySocket | undefined

/** The socket behind a stream of postgres.js, when it is a CopySocket: a stream that asks for more resumes it, and so it makes itself known. */
export function copySocketOf (stream: Readable): CopySocket | undefined {
  isAsked = true
  resumeSocket(stream)
  isAsked = false
  const socket = resumed
  resumed = undefined
  return socket
}
