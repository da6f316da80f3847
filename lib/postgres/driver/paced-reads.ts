/**
 * Milliseconds between two reads. The server sends rows in pieces of 8 kB. Without a pause each of them would wake the
 * reader, which costs both programs more than the rows do. The buffers of a connection hold far more than what arrives
 * in this time.
 */
const pauseMs = 1
/** In bytes: after a read of this size more is waiting, and there is no reason to pause. */
const largeRead = 128 * 1024
/** In bytes: a shorter COPY would take longer with a pause, and hardly less CPU time. */
const firstPaused = 1024 * 1024

/** The value at which a pause waits never changes, so that each pause lasts for its whole time. */
const unchanged = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
const blockThread = (): void => { Atomics.wait(unchanged, 0, 0, pauseMs) }

let isPaced = false

/**
 * Lets this thread pause while it reads the rows of a COPY. A pause blocks the thread, since a timer, or a socket that
 * is not watched, would wake it again: only for a thread that does nothing else.
 */
export function paceReads (): void {
  isPaced = true
}

/** Decides after which reads of one connection the thread pauses. */
export class ReadPacer {
  readonly #pause: () => void
  /** Of the current COPY. */
  #bytes = 0

  constructor (pause: () => void = () => { if (isPaced) blockThread() }) {
    this.#pause = pause
  }

  /** The rows of a COPY have ended. */
  reset (): void {
    this.#bytes = 0
  }

  /** Called after a read of rows. */
  afterRead (size: number): void {
    this.#bytes += size
    if (size < largeRead && this.#bytes >= firstPaused) this.#pause()
  }
}
