/** Readable bytes that must follow what a transcoder in WebAssembly reads. */
export const vectorMargin = 32

/** PostgreSQL has no tables with more columns. */
const mostColumns = 1600
/** Bytes of a key. The longest name has 63 bytes, and JSON needs six for some. */
const longestPossibleKey = 1024
/** Where the description of a column has address and size of its key. */
const keyOffset = 4

/**
 * The descriptions of the columns of a table in the memory of a transcoder in WebAssembly, one after the other, and
 * behind them the keys, `,"name":`.
 */
export class WasmKeys {
  readonly longestKey: number
  /** Whether PostgreSQL can have such a table. */
  readonly isPossible: boolean
  /** The first address behind the keys and `vectorMargin`. */
  readonly end: number
  readonly #keys: Buffer[]
  readonly #start: number
  readonly #columnSize: number

  /**
   * @param start where the descriptions will be in the memory
   * @param columnSize bytes of a description
   */
  constructor (columns: Array<{ name: string }>, start: number, columnSize: number) {
    this.#keys = columns.map(({ name }) => Buffer.from(`,${JSON.stringify(name)}:`))
    this.#start = start
    this.#columnSize = columnSize
    this.longestKey = this.#keys.reduce((longest, { length }) => Math.max(longest, length), 0)
    this.isPossible = columns.length <= mostColumns && this.longestKey <= longestPossibleKey
    this.end = this.#keys.reduce((end, { length }) => end + length, start + columns.length * columnSize) + vectorMargin
  }

  /** @param describe writes the description of a column to `at`, without its key */
  write (memory: Buffer, describe: (index: number, at: number) => void): void {
    let key = this.#start + this.#keys.length * this.#columnSize
    for (const [index, bytes] of this.#keys.entries()) {
      const at = this.#start + index * this.#columnSize
      describe(index, at)
      memory.writeUInt32LE(key, at + keyOffset)
      memory.writeUInt32LE(bytes.length, at + keyOffset + 4)
      key += bytes.copy(memory, key)
    }
  }
}
