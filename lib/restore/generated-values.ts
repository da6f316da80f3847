import { createHash, type Hash } from 'node:crypto'
import { copyQueryOut } from '../postgres/copy-query.ts'
import type { RoleSettings } from '../postgres/settings.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import type { TableToRestore } from './restore-plan.ts'

const TAB = 0x09
const NEW_LINE = 0x0a

/**
 * Sums up the rows of a table, in whatever order they come: for each generated column, the SHA-256 of the loaded values and of that one. So it tells
 * also when two rows have each other's value.
 */
export interface GeneratedValues {
  /** Takes COPY text of loaded and generated columns, in any pieces, and gives the text of the loaded ones. */
  take: (copyText: Buffer) => Buffer
  /** Of each generated column. */
  sums: () => string[]
}

/** @param generated of each column of a row, in their order, whether it is generated */
export function sumUpGenerated (generated: boolean[]): GeneratedValues {
  const lastLoaded = generated.lastIndexOf(false)
  const sums = generated.filter(Boolean).map(() => new Uint32Array(8))
  let hashes: Hash[] = []
  let column = 0
  let place = 0

  function startRow (): void {
    hashes = sums.map(() => createHash('sha256'))
    column = 0
    place = 0
  }

  function endRow (): void {
    for (const [index, hash] of hashes.entries()) add(sums[index] as Uint32Array, hash.digest())
    startRow()
  }

  function note (part: Buffer): void {
    if (generated[column] === true) hashes[place]?.update(part)
    else for (const hash of hashes) hash.update(part)
  }

  startRow()
  return {
    take (bytes) {
      const loaded = Buffer.allocUnsafe(bytes.length)
      let length = 0
      let [tab, newLine] = [-1, -1]
      for (let start = 0, next = 0; start < bytes.length; start = next) {
        if (tab < start) tab = find(bytes, TAB, start)
        if (newLine < start) newLine = find(bytes, NEW_LINE, start)
        const end = Math.min(tab, newLine)
        next = Math.min(end + 1, bytes.length)
        note(bytes.subarray(start, next))
        if (generated[column] !== true) length += bytes.copy(loaded, length, start, end)
        if (end === bytes.length) continue
        if (end === newLine) {
          loaded[length++] = NEW_LINE
          endRow()
        } else {
          if (generated[column] === true) place++
          else if (column < lastLoaded) loaded[length++] = TAB
          column++
        }
      }
      return loaded.subarray(0, length)
    },
    sums: () => sums.map((sum) => Buffer.from(sum.buffer).toString('hex'))
  }
}

/** The end where there is none. */
function find (bytes: Buffer, byte: number, start: number): number {
  const found = bytes.indexOf(byte, start)
  return found === -1 ? bytes.length : found
}

function add (sum: Uint32Array, digest: Buffer): void {
  for (let lane = 0; lane < sum.length; lane++) sum[lane] = (sum[lane] as number) + digest.readUInt32LE(lane * 4)
}

/** Of the snapshot's columns those that are loaded or compared, in its order. */
function comparedColumns ({ source, columns, generated }: TableToRestore): Array<{ name: string, generated: boolean }> {
  const known = new Map([...columns.map((name) => [name, false] as const), ...generated.map((name) => [name, true] as const)])
  return source.columns.flatMap(({ name }) => {
    const isGenerated = known.get(name)
    return isGenerated === undefined ? [] : [{ name, generated: isGenerated }]
  })
}

export const valuesOf = (target: TableToRestore): GeneratedValues => sumUpGenerated(comparedColumns(target).map(({ generated }) => generated))

/** The generated columns that have other values by now than those of the snapshot. Reads the whole table. */
export async function findChangedColumns (tx: Transaction, target: TableToRestore, expected: GeneratedValues, roleSettings: RoleSettings): Promise<string[]> {
  const stored = valuesOf(target)
  const names = comparedColumns(target).map(({ name }) => name)
  for (const relation of target.table.relations.filter(({ kind }) => kind === 'r')) {
    await copyQueryOut(tx, roleSettings, relation, names, {
      begin () {},
      row (bytes, start, end) {
        stored.take(bytes.subarray(start, end))
        return undefined
      }
    })
  }
  const [before, after] = [expected.sums(), stored.sums()]
  return target.generated.filter((_name, index) => before[index] !== after[index])
}
