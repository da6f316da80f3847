const pageSize = 64 * 1024

/** The memory of a module of WebAssembly, as it exports it. */
export interface ExportedMemory { buffer: ArrayBuffer, grow: (pages: number) => void }

/** The memory of a module of WebAssembly, as a buffer. */
export class WasmMemory {
  bytes: Buffer
  readonly #memory: ExportedMemory

  constructor (memory: ExportedMemory) {
    this.#memory = memory
    this.bytes = Buffer.from(memory.buffer)
  }

  /** Grows to `size` bytes, if it is smaller. */
  reserve (size: number): void {
    const missing = Math.ceil((size - this.bytes.length) / pageSize)
    if (missing <= 0) return
    this.#memory.grow(missing)
    this.bytes = Buffer.from(this.#memory.buffer)
  }
}
