import { isPossibleName } from '../postgres/identifiers.ts'
import type { ReadSnapshot } from './snapshot-reader.ts'
import { findProblems } from './find-problems.ts'

/**
 * Why a file that came from elsewhere is no snapshot. An import and a rescan ask the same: what is taken in must still be adopted when the log is lost.
 */
export function findForeignProblems (read: ReadSnapshot): string[] {
  const { schema, createdAt, tables } = read.manifest
  const problems = findProblems(read, { id: null, checksum: null })
  if (![schema, ...tables.map(({ name }) => name)].every(isPossibleName)) problems.push('the manifest names a schema or a table that there can not be')
  if (!/^\d{4}-/.test(createdAt) || Number.isNaN(Date.parse(createdAt))) problems.push('the manifest does not say when it was made')
  return problems
}
