import type { ByteQueue } from './byte-queue.ts'
import type { EncodedColumn } from './column-encoding.ts'
import { malformedLine } from './copy-to-json.ts'
import { instantiateWasm } from './instantiate-wasm.ts'
import { messagesToJsonCode } from './messages-to-json-code.ts'
import type { RowsToJson } from './rows-to-json.ts'
import { WasmColumns } from './wasm-columns.ts'
import { vectorMargin } from './wasm-keys.ts'
import { type ExportedMemory, WasmMemory } from './wasm-memory.ts'

/** The exports of wasm/src/copy-to-json.ts, which describes them. */
interface Exports {
  memory: ExportedMemory
  freeMemory: () => number
  startTable: (description: number, count: number) => void
  beginRow: (size: number) => void
  dropRows: () => void
  setOutput: (start: number, end: number) => void
  inputPosition: () => number
  outputPosition: () => number
  takeRows: () => number
  run: (start: number, end: number) => number
}

/** Results of run() (wasm/src/cursor.ts). */
const outputFull = 2
const malformed = 3
const notARow = 4
/** Bytes of a row that may be left for the next call. */
const longestRest = 16
/** Bytes that are processed at once: input and output stay in the cache of the processor. */
const bufferSize = 64 * 1024
/** The header of a CopyData message: `d`, and a length that includes itself. */
const headerSize = 5
const copyData = 0x64
/** Rows below this size are collected: a call for each takes longer than the work. */
const smallRow = 4096

/**
 * Transcodes the output of COPY TO STDOUT by WebAssembly with SIMD, several times as fast as createCopyToJson(), whose
 * output is the same. Messages may be split at any byte. No memory of the size of a value is needed.
 */
export class MessagesToJson implements RowsToJson {
  rows = 0
  /**
   * takeMessages() has found a row that does not have one field for each column. That row is incomplete, and all rows
   * after it are dropped.
   */
  isMalformed = false
  readonly #code: Exports
  readonly #memory: WasmMemory
  /** Where input and output begin and end in the memory. */
  #input = 0
  #output = 0
  #outputEnd = 0
  /** Bytes of a row at the beginning of the input that were read without being used. */
  #rest = 0
  /** Messages of small rows that arrived without headers. */
  readonly #collected = Buffer.allocUnsafeSlow(bufferSize)
  #collectedSize = 0

  /** @param code an instance that nothing else uses */
  constructor (code: Exports) {
    this.#code = code
    this.#memory = new WasmMemory(code.memory)
  }

  startTable (columns: EncodedColumn[]): void {
    const description = this.#code.freeMemory()
    const described = new WasmColumns(columns, description)
    this.#input = described.end
    this.#output = this.#input + longestRest + bufferSize + vectorMargin
    this.#outputEnd = this.#output + bufferSize + described.longestKey
    this.#memory.reserve(this.#outputEnd)
    described.write(this.#memory.bytes)
    this.#code.startTable(description, columns.length)
    this.rows = 0
  }

  /**
   * Takes CopyData messages from `start`, where a message begins or the one continues that the last call did not end.
   * Returns the position of the first byte that is not taken: `end`, or that of another message or of an incomplete
   * header.
   */
  takeMessages (bytes: Buffer, start: number, end: number, out: ByteQueue): number {
    let position = start
    while (true) {
      const size = Math.min(end - position, bufferSize)
      const inputStart = this.#input + this.#rest
      const inputEnd = inputStart + bytes.copy(this.#memory.bytes, inputStart, position, position + size)
      const isRow = this.#run(inputEnd, out)
      const used = this.#code.inputPosition()
      if (isRow) {
        this.#rest = this.#memory.bytes.copy(this.#memory.bytes, this.#input, used, inputEnd)
        position += size
        if (position === end) return end
      } else {
        this.#rest = 0
        const isCut = inputEnd - used < headerSize && position + size < end
        position += used - inputStart
        if (!isCut) return position
      }
    }
  }

  takeRow (bytes: Buffer, start: number, end: number, out: ByteQueue): void {
    const size = end - start
    if (size >= smallRow) {
      this.flush(out)
      this.#code.beginRow(size)
      this.takeMessages(bytes, start, end, out)
      if (this.isMalformed) throw malformedLine()
      return
    }
    if (this.#collectedSize + headerSize + size > bufferSize) this.flush(out)
    const at = this.#collectedSize
    this.#collected[at] = copyData
    this.#collected.writeUInt32BE(size + headerSize - 1, at + 1)
    bytes.copy(this.#collected, at + headerSize, start, end)
    this.#collectedSize = at + headerSize + size
  }

  flush (out: ByteQueue): void {
    this.takeMessages(this.#collected, 0, this.#collectedSize, out)
    this.#collectedSize = 0
    if (this.isMalformed) throw malformedLine()
  }

  /** From now on, rows are taken and dropped. */
  dropRows (): void {
    this.#code.dropRows()
  }

  /** Returns false if something follows that is not a complete header of a row. */
  #run (inputEnd: number, out: ByteQueue): boolean {
    const { outputPosition, run, setOutput, takeRows, inputPosition } = this.#code
    let position = this.#input
    while (true) {
      setOutput(this.#output, this.#outputEnd)
      const result = run(position, inputEnd)
      this.rows += takeRows()
      out.append(this.#memory.bytes.subarray(this.#output, outputPosition()))
      if (result === malformed) this.isMalformed = true
      else if (result !== outputFull) return result !== notARow
      position = inputPosition()
    }
  }
}

/** Returns undefined where Node.js has no WebAssembly, or the processor no SIMD. */
export function createMessagesToJson (): MessagesToJson | undefined {
  const code = instantiateWasm(messagesToJsonCode)
  return code === undefined ? undefined : new MessagesToJson(code as Exports)
}
