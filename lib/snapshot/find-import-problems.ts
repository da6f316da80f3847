import { isPossibleName } from '../postgres/identifiers.ts'
import type { ReadSnapshot } from './snapshot-reader.ts'
import { findProblems } from './find-problems.ts'

/**
 * Why a file that this service did not write is not a snapshot. An import and a rescan use the same checks, so that a
 * rescan can adopt every imported file when the log is lost.
 */
export function findImportProblems (read: ReadSnapshot): string[] {
  const { schema, createdAt, tables } = read.manifest
  const problems = findProblems(read, { id: null, checksum: null })
  if (![schema, ...tables.map(({ name }) => name)].every(isPossibleName)) {
    problems.push('the manifest contains a name that no schema or table can have')
  }
  if (!/^\d{4}-/.test(createdAt) || Number.isNaN(Date.parse(createdAt))) {
    problems.push('the manifest does not contain a valid time of creation')
  }
  return problems
}
