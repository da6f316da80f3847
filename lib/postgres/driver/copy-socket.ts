import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net'
import type { Readable } from 'node:stream'
import { CopyMessages, type TakeMessages, type TakeRow } from './copy-messages.ts'
import { resumeSocket } from './internals.ts'
import { ReadPacer } from './paced-reads.ts'

/** A fixed buffer: new memory for each chunk would keep the garbage collector busy. */
const bufferSize = 256 * 1024

/**
 * A socket that passes the rows of `COPY … TO STDOUT` directly from its buffer to a function, and everything else to
 * postgres.js. postgres.js would create three Buffers and a stream event for each row, which for short rows takes as
 * long as the server does.
 */
export class CopySocket extends Socket {
  readonly #messages: CopyMessages
  readonly #pacer = new ReadPacer()

  constructor () {
    const options: SocketConstructorOpts & { onread: OnReadOpts } = {
      onread: {
        buffer: Buffer.allocUnsafeSlow(bufferSize),
        callback: (size, buffer) => {
          this.#messages.receive(buffer as Buffer, size)
          if (this.#messages.takeMessages !== undefined) this.#pacer.afterRead(size)
          return true
        }
      }
    }
    super(options)
    this.#messages = new CopyMessages((chunk) => { this.emit('data', chunk) }, () => { this.pause() })
  }

  /** Passes rows to one of the functions from now on; without one, they go to postgres.js. */
  takeRows ({ take, takeMessages }: { take?: TakeRow, takeMessages?: TakeMessages | undefined }): void {
    this.#messages.take = take
    this.#messages.takeMessages = takeMessages
    if (takeMessages === undefined) this.#pacer.reset()
  }

  /** Pauses, and passes nothing of what follows the message that postgres.js gets at this moment. */
  hold (): void {
    this.#messages.hold()
  }

  /** Passes what had arrived since hold(). The socket stays paused. */
  release (): void {
    this.#messages.release()
  }

  override resume (): this {
    if (isSearching) resumed = this
    return super.resume()
  }
}

let isSearching = false
let resumed: CopySocket | undefined

/**
 * The socket behind a stream of postgres.js. Undefined when it is not a CopySocket. postgres.js does not publish it;
 * but a stream that reads resumes its socket, and the socket notes that.
 */
export function copySocketOf (stream: Readable): CopySocket | undefined {
  isSearching = true
  resumeSocket(stream)
  isSearching = false
  const socket = resumed
  resumed = undefined
  return socket
}
