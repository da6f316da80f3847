import { elementOf, type EncodedColumn } from './column-encoding.ts'
import { WasmKeys } from './wasm-keys.ts'

/** Structures of the type Column, and its kinds (wasm/src/column.ts). */
const columnSize = 12
const kinds = { text: 0, number: 1, boolean: 2, jsonb: 3, array: 4 }

/** The descriptions of the columns of a table, which a transcoder to or from COPY text reads. */
export class WasmColumns {
  readonly longestKey: number
  /** Whether PostgreSQL can have such a table. */
  readonly isPossible: boolean
  /** The first address behind the descriptions. */
  readonly end: number
  readonly #columns: EncodedColumn[]
  readonly #keys: WasmKeys

  /** @param start where the descriptions will be in the memory */
  constructor (columns: EncodedColumn[], start: number) {
    this.#columns = columns
    this.#keys = new WasmKeys(columns, start, columnSize)
    this.longestKey = this.#keys.longestKey
    this.isPossible = this.#keys.isPossible && columns.every(({ delimiter }) => delimiter < '\x80')
    this.end = this.#keys.end
  }

  /** @param skipped for each column, whether its values are read and not written */
  write (memory: Buffer, skipped: boolean[] = []): void {
    this.#keys.write(memory, (index, at) => {
      const { encoding, delimiter } = this.#columns[index] as EncodedColumn
      const isArray = encoding.endsWith('[]')
      memory[at] = isArray ? kinds.array : kinds[encoding as Exclude<keyof typeof kinds, 'array'>]
      memory[at + 1] = isArray ? kinds[elementOf(encoding)] : 0
      memory[at + 2] = delimiter.charCodeAt(0)
      memory[at + 3] = skipped[index] === true ? 1 : 0
    })
  }
}
