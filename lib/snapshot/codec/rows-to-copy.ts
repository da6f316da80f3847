import type { ByteQueue, Mark } from './byte-queue.ts'
import { instantiateWasm } from './instantiate-wasm.ts'
import type { JsonCursor } from './json-cursor.ts'
import type { TargetColumn } from './json-to-copy.ts'
import { rowsToCopyCode } from './rows-to-copy-code.ts'
import { WasmColumns } from './wasm-columns.ts'
import { vectorMargin } from './wasm-keys.ts'
import { type ExportedMemory, WasmMemory } from './wasm-memory.ts'

/** The exports of wasm/src/rows-to-copy.ts, which describes them. */
interface Exports {
  memory: ExportedMemory
  freeMemory: () => number
  startTable: (description: number, count: number, rowLimit: number) => void
  leaveRow: () => void
  setOutput: (start: number, end: number) => void
  inputPosition: () => number
  outputPosition: () => number
  isInRow: () => number
  rowInputPosition: () => number
  rowOutputPosition: () => number
  takeRows: () => number
  read: (start: number, end: number) => number
}

/** Results of read() (wasm/src/reading.ts). */
const [outputFull, refused, rowEnd, listEnd] = [2, 3, 4, 5]
/** Bytes that are processed at once: input and output stay in the cache of the processor. */
const bufferSize = 64 * 1024
/** Of 32 bits, without sign. */
const largestInt = 0xffff_ffff

/**
 * Why take() stopped: at the end of the list, because the queue is full, because the cursor has no more bytes, or in
 * front of a row that it does not read.
 */
export type Stopped = 'end' | 'full' | 'moreNeeded' | 'refused'
/** The same for readOn(), which also stops behind a row. */
export type StoppedInRow = Stopped | 'rowEnd'

/**
 * Transcodes rows of JSON to COPY text by WebAssembly with SIMD, several times as fast as createJsonToCopy(), whose
 * output is the same. Refuses all rows that are not exactly as the writer formats them, valid or not.
 */
export class RowsToCopy {
  readonly #code: Exports
  readonly #memory: WasmMemory
  /** Where input and output begin and end in the memory. */
  #input = 0
  #output = 0
  #outputEnd = 0
  /** Bytes from the cursor's position that were read, of a row that is not complete. */
  #carried = 0
  /** The end of the output before that row. */
  #mark: Mark | undefined

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
  startTable (columns: TargetColumn[], rowBytes: number): boolean {
    const description = this.#code.freeMemory()
    const described = new WasmColumns(columns, description)
    if (!described.isPossible) return false
    this.#input = described.end
    this.#output = this.#input + bufferSize + vectorMargin
    this.#outputEnd = this.#output + bufferSize
    this.#memory.reserve(this.#outputEnd + vectorMargin)
    described.write(this.#memory.bytes, columns.map(({ skip }) => skip))
    this.#code.startTable(description, columns.length, Math.min(rowBytes, largestInt))
    this.#carried = 0
    return true
  }

  /**
   * Reads rows, and what separates them, from the cursor on. Before more bytes are needed, the cursor is moved to the
   * beginning of the incomplete row, whose output may be in the queue already: it must not be taken then. The next call
   * continues within the row.
   */
  take (cursor: JsonCursor, out: ByteQueue): Stopped {
    while (true) {
      const position = cursor.position + this.#carried
      const end = Math.min(cursor.end, position + bufferSize)
      const inputEnd = this.#input + cursor.bytes.copy(this.#memory.bytes, this.#input, position, end)
      const outcome = this.#read(cursor, position, inputEnd, out)
      if (outcome === listEnd) return 'end'
      if (outcome === refused) return 'refused'
      if (this.#carried === 0 && out.full) return 'full'
      if (outcome !== rowEnd && end === cursor.end) return 'moreNeeded'
    }
  }

  /** Reads the input, which is at `position` of the cursor's bytes, and moves the cursor. */
  #read (cursor: JsonCursor, position: number, inputEnd: number, out: ByteQueue): number {
    const { read, setOutput, inputPosition, isInRow, leaveRow } = this.#code
    const shift = position - this.#input
    let from = this.#input
    while (true) {
      setOutput(this.#output, this.#outputEnd)
      const outcome = read(from, inputEnd)
      const rowInput = this.#code.rowInputPosition()
      // A row begins here
      if (rowInput !== 0) cursor.position = rowInput + shift
      this.#append(rowInput !== 0, outcome === refused, out)
      from = inputPosition()
      if (outcome === outputFull) continue
      if (outcome === refused) leaveRow()
      else if (isInRow() === 0) cursor.position = from + shift
      this.#carried = isInRow() === 0 ? 0 : from + shift - cursor.position
      return outcome
    }
  }

  /** Adds the output to the queue, without that of a refused row. */
  #append (beginsRow: boolean, isRefused: boolean, out: ByteQueue): void {
    let start = this.#output
    if (beginsRow) {
      start = this.#code.rowOutputPosition()
      out.append(this.#memory.bytes.subarray(this.#output, start))
      this.#mark = out.mark()
    }
    if (!isRefused) out.append(this.#memory.bytes.subarray(start, this.#code.outputPosition()))
    else this.discardRow(out)
  }

  /** Bytes of the incomplete row at the cursor that take() has read. */
  get carried (): number {
    return this.#carried
  }

  /** Discards the output of the incomplete row, which take() has added to the queue. */
  discardRow (out: ByteQueue): void {
    if (this.#mark !== undefined) out.reset(this.#mark)
  }

  /**
   * Continues in the incomplete row, or begins one that is longer than the memory, and moves the cursor past what it
   * reads of it. Stops behind the row and the comma that follows it.
   * @param out discards the output if it is absent
   */
  readOn (cursor: JsonCursor, out?: ByteQueue): StoppedInRow {
    cursor.position += this.#carried
    this.#carried = 0
    while (true) {
      const { position } = cursor
      const end = Math.min(cursor.end, position + bufferSize)
      const inputEnd = this.#input + cursor.bytes.copy(this.#memory.bytes, this.#input, position, end)
      this.#code.setOutput(this.#output, this.#outputEnd)
      const outcome = this.#code.read(this.#input, inputEnd)
      out?.append(this.#memory.bytes.subarray(this.#output, this.#code.outputPosition()))
      cursor.position = position + this.#code.inputPosition() - this.#input
      if (outcome === listEnd) return 'end'
      if (outcome === rowEnd) return 'rowEnd'
      if (outcome === refused) {
        this.#code.leaveRow()
        return 'refused'
      }
      if (out?.full === true) return 'full'
      if (outcome !== outputFull && end === cursor.end) return 'moreNeeded'
    }
  }

  /** Returns the number of rows that were completed since the last call. */
  takeRows (): number {
    return this.#code.takeRows()
  }
}

/** Returns undefined where Node.js has no WebAssembly, or the processor no SIMD. */
export function createRowsToCopy (): RowsToCopy | undefined {
  const code = instantiateWasm(rowsToCopyCode)
  return code === undefined ? undefined : new RowsToCopy(code as Exports)
}
