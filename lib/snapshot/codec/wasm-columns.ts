import { elementOf, type EncodedColumn } from './column-encoding.ts'

/** Structures of the type Column, and its kinds (wasm/src/column.ts). */
const columnSize = 12
const kinds = { text: 0, number: 1, boolean: 2, jsonb: 3, array: 4 }

/** Readable bytes that must follow what a transcoder in WebAssembly reads. */
export const vectorMargin = 32

/** The descriptions of the columns of a table, which a transcoder in WebAssembly reads. */
export class WasmColumns {
  readonly longestKey: number
  /** The first address behind the descriptions and `vectorMargin`. */
  readonly end: number
  readonly #columns: EncodedColumn[]
  readonly #keys: Buffer[]
  readonly #start: number

  /** @param start where the descriptions will be in the memory */
  constructor (columns: EncodedColumn[], start: number) {
    this.#columns = columns
    this.#keys = columns.map(({ name }) => Buffer.from(`,${JSON.stringify(name)}:`))
    this.#start = start
    this.longestKey = this.#keys.reduce((longest, { length }) => Math.max(longest, length), 0)
    this.end = this.#keys.reduce((end, { length }) => end + length, start + columns.length * columnSize) + vectorMargin
  }

  /** @param skipped for each column, whether its values are read and not written */
  write (memory: Buffer, skipped: boolean[] = []): void {
    let key = this.#start + this.#columns.length * columnSize
    for (const [index, column] of this.#columns.entries()) {
      const at = this.#start + index * columnSize
      const bytes = this.#keys[index] as Buffer
      const isArray = column.encoding.endsWith('[]')
      memory[at] = isArray ? kinds.array : kinds[column.encoding as Exclude<keyof typeof kinds, 'array'>]
      memory[at + 1] = isArray ? kinds[elementOf(column.encoding)] : 0
      memory[at + 2] = column.delimiter.charCodeAt(0)
      memory[at + 3] = skipped[index] === true ? 1 : 0
      memory.writeUInt32LE(key, at + 4)
      memory.writeUInt32LE(bytes.length, at + 8)
      key += bytes.copy(memory, key)
    }
  }
}
