import type { ByteSink, OpenSink } from './byte-sink.ts'
import type { Codec, Compression } from './codec.ts'
import type { Frame } from './frame.ts'

/** A frame ends with the first line that ends behind so many bytes, or at its largest size. */
const usualFrame = 4 * 1024 * 1024
const largestFrame = 8 * 1024 * 1024
/** Frames that are compressed at the same time, while another one is filled. */
const threads = 2

const newLine = 0x0a

/**
 * Compresses what is written, in frames that each can be read without the others. A row ends with its line, so it is in
 * one frame unless it is longer than that. The head is a frame of its own, and is not compressed: the place that is
 * reserved for it must not depend on its content.
 * @param openNext opens the sink that takes the compressed bytes
 */
export async function openCompressingSink (
  codec: Codec, { level }: Pick<Compression, 'level'>, openNext: OpenSink, headSize: number
): Promise<ByteSink> {
  const storedHead = codec.storedSize(headSize)
  const next = await openNext(storedHead)
  const compress = async (bytes: Buffer): Promise<Buffer> => await codec.compress(bytes, level)
  const frames = new Frames(compress, next, { storedBytes: storedHead, plainBytes: headSize })
  let writing: Promise<void> | undefined
  async function idle (): Promise<void> {
    await Promise.allSettled([writing])
    await frames.idle()
    await next.idle()
  }

  return {
    get storedBytes () { return next.storedBytes },
    async write (pieces) {
      writing = frames.write(pieces)
      await writing
    },
    async finish (head) {
      const all = await frames.finish()
      await next.write([codec.encodeIndex(all)])
      await next.finish(codec.store(head))
    },
    idle,
    async discard () {
      frames.stop()
      await idle()
      await next.discard()
    }
  }
}

/** Collects frames, compresses them, and writes them in their order. */
class Frames {
  readonly #compress: (bytes: Buffer) => Promise<Buffer>
  readonly #next: ByteSink
  readonly #written: Frame[]
  /** Memory of frames that are written. */
  readonly #spare: Buffer[] = []
  #open: Buffer = Buffer.allocUnsafeSlow(largestFrame)
  #filled = 0
  #isStopped = false
  /** Frames that are compressed or written, in their order. Each is written after the one before it. */
  readonly #pending: Array<Promise<void>> = []

  constructor (compress: (bytes: Buffer) => Promise<Buffer>, next: ByteSink, head: Frame) {
    this.#compress = compress
    this.#next = next
    this.#written = [head]
  }

  async write (pieces: Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      let rest = piece
      while (rest.length > 0 && !this.#isStopped) rest = await this.#fill(rest)
    }
  }

  /** A write in progress ends early, and begins no further frame. */
  stop (): void {
    this.#isStopped = true
  }

  /** Writes the rest, and returns all frames. */
  async finish (): Promise<Frame[]> {
    if (this.#filled > 0) await this.#end()
    await Promise.all(this.#pending)
    return this.#written
  }

  async idle (): Promise<void> {
    await Promise.allSettled(this.#pending)
  }

  /** Copies the beginning of `bytes` into the open frame, and returns the rest. */
  async #fill (bytes: Uint8Array): Promise<Uint8Array> {
    const missing = usualFrame - this.#filled
    const lineEnd = missing > 0 ? 0 : bytes.indexOf(newLine) + 1
    const wanted = missing > 0 ? missing : lineEnd === 0 ? bytes.length : lineEnd
    const part = bytes.subarray(0, Math.min(wanted, largestFrame - this.#filled))
    this.#open.set(part, this.#filled)
    this.#filled += part.length
    if (this.#filled === largestFrame || part.length === lineEnd) await this.#end()
    return bytes.subarray(part.length)
  }

  async #end (): Promise<void> {
    if (this.#pending.length === threads) await this.#pending.shift()
    const memory = this.#open
    const written = this.#writeFrame(memory.subarray(0, this.#filled), this.#pending.at(-1))
      .finally(() => { this.#spare.push(memory) })
    // The next call of write() or finish() reports the failure
    written.catch(() => {})
    this.#pending.push(written)
    this.#open = this.#spare.pop() ?? Buffer.allocUnsafeSlow(largestFrame)
    this.#filled = 0
  }

  async #writeFrame (bytes: Buffer, before: Promise<void> | undefined): Promise<void> {
    // Both have settled when this one fails, so that idle() needs to wait for nothing else
    const [compressed, earlier] = await Promise.allSettled([this.#compress(bytes), before])
    if (earlier.status === 'rejected') throw earlier.reason
    if (compressed.status === 'rejected') throw compressed.reason
    await this.#next.write([compressed.value])
    this.#written.push({ storedBytes: compressed.value.length, plainBytes: bytes.length })
  }
}
