import { type BinaryColumn, encoderNumbers } from './binary-encoders.ts'
import type { ByteQueue } from './byte-queue.ts'
import { instantiateWasm } from './instantiate-wasm.ts'
import type { JsonCursor } from './json-cursor.ts'
import type { Stopped } from './rows-to-copy.ts'
import { rowsToBinaryCode } from './rows-to-binary-code.ts'
import { vectorMargin, WasmKeys } from './wasm-keys.ts'
import { type ExportedMemory, WasmMemory } from './wasm-memory.ts'

/** The exports of wasm/src/rows-to-binary.ts, which describes them. */
interface Exports {
  memory: ExportedMemory
  freeMemory: () => number
  startTable: (description: number, count: number, rowLimit: number) => void
  setOutput: (start: number, end: number) => void
  inputPosition: () => number
  outputPosition: () => number
  takeRows: () => number
  read: (start: number, end: number) => number
}

/** Results of read() (wasm/src/reading.ts). */
const [inputUsed, refused, listEnd] = [1, 3, 5]
/** Bytes of a description of a column (wasm/src/binary-column.ts), and where it has the type of the elements. */
const columnSize = 16
const elementTypeOffset = 12
/** Bytes that are processed at once: input and output stay in the cache of the processor. */
const smallBuffer = 64 * 1024
/** A row that does not fit is refused: RowsToCopy reads it in parts. */
const largestBuffer = 1024 * 1024

/**
 * Transcodes rows of JSON to COPY BINARY by WebAssembly with SIMD. Refuses each row that contains a text that the
 * output function of the type would not write, or a value that its encoder cannot convert exactly.
 */
export class RowsToBinary {
  readonly #code: Exports
  readonly #memory: WasmMemory
  #input = 0
  #size = smallBuffer

  /** @param code an instance that nothing else uses */
  constructor (code: Exports) {
    this.#code = code
    this.#memory = new WasmMemory(code.memory)
  }

  /**
   * Begins the rows of a table. Returns false if PostgreSQL cannot have such a table: then its rows must be read
   * otherwise.
   * @param rowBytes rows that are longer are refused
   */
  startTable (columns: BinaryColumn[], rowBytes: number): boolean {
    const description = this.#code.freeMemory()
    const keys = new WasmKeys(columns, description, columnSize)
    if (!keys.isPossible) return false
    this.#input = keys.end
    this.#resize(smallBuffer)
    const { bytes } = this.#memory
    keys.write(bytes, (index, at) => {
      const { encoder, element } = columns[index] as BinaryColumn
      bytes[at] = encoderNumbers[encoder]
      if (element === undefined) return
      bytes[at + 1] = encoderNumbers[element.encoder]
      bytes.writeUInt32BE(element.oid, at + elementTypeOffset)
    })
    this.#code.startTable(description, columns.length, Math.min(rowBytes, largestBuffer))
    return true
  }

  #resize (size: number): void {
    this.#size = size
    this.#memory.reserve(this.#output + size + vectorMargin)
  }

  get #output (): number {
    return this.#input + this.#size + vectorMargin
  }

  /**
   * Reads complete rows, and what separates them, from the cursor on, and moves the cursor behind them. In front of a
   * refused row, `out` has all rows before it.
   */
  take (cursor: JsonCursor, out: ByteQueue): Stopped {
    const { setOutput, read, inputPosition, outputPosition } = this.#code
    while (true) {
      const { position } = cursor
      const end = Math.min(cursor.end, position + this.#size)
      const inputEnd = this.#input + cursor.bytes.copy(this.#memory.bytes, this.#input, position, end)
      setOutput(this.#output, this.#output + this.#size)
      const outcome = read(this.#input, inputEnd)
      out.append(this.#memory.bytes.subarray(this.#output, outputPosition()))
      cursor.position = position + inputPosition() - this.#input
      if (outcome === listEnd) return 'end'
      if (outcome === refused) return 'refused'
      if (out.full) return 'full'
      if (outcome === inputUsed && end === cursor.end) return 'moreNeeded'
      if (cursor.position > position) continue
      if (this.#size === largestBuffer) return 'refused'
      // For the rest of the table: a table with one long row probably has more of them
      this.#resize(this.#size * 2)
    }
  }

  /** Returns the number of rows that were completed since the last call. */
  takeRows (): number {
    return this.#code.takeRows()
  }
}

/** Returns undefined where Node.js has no WebAssembly, or the processor no SIMD. */
export function createRowsToBinary (): RowsToBinary | undefined {
  // An import is named after the file that declares it
  const code = instantiateWasm(rowsToBinaryCode, { 'binary-numbers': { parseNumber } }) as Exports | undefined
  /** Number() rounds to the nearest f64, and the module has checked that the text is a number. */
  function parseNumber (start: number, size: number): number {
    return Number(Buffer.from((code as Exports).memory.buffer, start, size).toString('latin1'))
  }
  return code && new RowsToBinary(code)
}
