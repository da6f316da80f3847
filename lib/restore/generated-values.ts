import { createHash, type Hash } from 'node:crypto'
import { copyQueryOut } from '../postgres/copy-query.ts'
import type { RoleSettings } from '../postgres/settings.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import type { TableToRestore } from './restore-plan.ts'

const TAB = 0x09
const NEW_LINE = 0x0a

/**
 * Checksums of the generated columns of a table, which do not depend on the order of its rows. The checksum of a
 * column is the sum, over all rows, of the SHA-256 of the row's loaded values and its value in that column. So the
 * checksum also changes when two rows exchange their generated values.
 */
export interface GeneratedValues {
  /**
   * Adds COPY text of loaded and generated columns, in pieces of any size, and returns the text of the loaded columns.
   */
  add: (copyText: Buffer) => Buffer
  /** One for each generated column, in hexadecimal. */
  sums: () => string[]
}

/** @param generated for each column of a row, in order, whether it is generated */
export function sumUpGenerated (generated: boolean[]): GeneratedValues {
  const row = createRowChecksums(generated)
  return {
    add (bytes) {
      const loaded = Buffer.allocUnsafe(bytes.length)
      let length = 0
      let [tab, newLine] = [-1, -1]
      for (let start = 0, next = 0; start < bytes.length; start = next) {
        if (tab < start) tab = indexOrLength(bytes, TAB, start)
        if (newLine < start) newLine = indexOrLength(bytes, NEW_LINE, start)
        const end = Math.min(tab, newLine)
        next = Math.min(end + 1, bytes.length)
        row.update(bytes.subarray(start, next))
        if (!row.isGenerated()) length += bytes.copy(loaded, length, start, end)
        if (end === bytes.length) continue
        if (end === newLine) {
          loaded[length++] = NEW_LINE
          row.end()
        } else {
          if (row.precedesLoaded()) loaded[length++] = TAB
          row.nextColumn()
        }
      }
      return loaded.subarray(0, length)
    },
    sums: row.sums
  }
}

interface RowChecksums {
  /** Adds a part of the current column, or the delimiter that ends it. */
  update: (part: Buffer) => void
  /** Whether the current column is generated. */
  isGenerated: () => boolean
  /** Whether the current column is loaded and another loaded column follows. */
  precedesLoaded: () => boolean
  nextColumn: () => void
  end: () => void
  sums: () => string[]
}

function createRowChecksums (generated: boolean[]): RowChecksums {
  const lastLoaded = generated.lastIndexOf(false)
  const sums = generated.filter(Boolean).map(() => new Uint32Array(8))
  let hashes: Hash[] = []
  let column = 0
  /** How many columns before the current one are generated. */
  let generatedBefore = 0

  function start (): void {
    hashes = sums.map(() => createHash('sha256'))
    column = 0
    generatedBefore = 0
  }

  const isGenerated = (): boolean => generated[column] === true

  start()
  return {
    update (part) {
      if (isGenerated()) hashes[generatedBefore]?.update(part)
      else for (const hash of hashes) hash.update(part)
    },
    isGenerated,
    precedesLoaded: () => !isGenerated() && column < lastLoaded,
    nextColumn () {
      if (isGenerated()) generatedBefore++
      column++
    },
    end () {
      for (const [index, hash] of hashes.entries()) addDigest(sums[index] as Uint32Array, hash.digest())
      start()
    },
    sums: () => sums.map((sum) => Buffer.from(sum.buffer).toString('hex'))
  }
}

/** Like `bytes.indexOf(byte, start)`, with the length where the byte does not occur. */
function indexOrLength (bytes: Buffer, byte: number, start: number): number {
  const found = bytes.indexOf(byte, start)
  return found === -1 ? bytes.length : found
}

function addDigest (sum: Uint32Array, digest: Buffer): void {
  for (let index = 0; index < sum.length; index++) sum[index] = (sum[index] as number) + digest.readUInt32LE(index * 4)
}

/** The columns of the snapshot that are loaded or compared, in the order of the snapshot. */
function comparedColumns (
  { recorded, columns, generated }: TableToRestore
): Array<{ name: string, generated: boolean }> {
  const known = new Map<string, boolean>()
  for (const name of columns) known.set(name, false)
  for (const name of generated) known.set(name, true)
  return recorded.columns.flatMap(({ name }) => {
    const isGenerated = known.get(name)
    return isGenerated === undefined ? [] : [{ name, generated: isGenerated }]
  })
}

export const valuesOf = (target: TableToRestore): GeneratedValues =>
  sumUpGenerated(comparedColumns(target).map(({ generated }) => generated))

/** The generated columns whose values differ from those of the snapshot. Reads the whole table. */
export async function findChangedColumns (
  tx: Transaction, target: TableToRestore, expected: GeneratedValues, roleSettings: RoleSettings
): Promise<string[]> {
  const stored = valuesOf(target)
  const names = comparedColumns(target).map(({ name }) => name)
  for (const relation of target.table.relations.filter(({ kind }) => kind === 'r')) {
    await copyQueryOut(tx, roleSettings, relation, names, {
      begin () {},
      row (bytes, start, end) {
        stored.add(bytes.subarray(start, end))
        return undefined
      }
    })
  }
  const [before, after] = [expected.sums(), stored.sums()]
  return target.generated.filter((_name, index) => before[index] !== after[index])
}
