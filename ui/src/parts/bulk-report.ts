import type { Backup } from '../../../types/index.ts'
import type { BulkResult } from '../client/bulk-action.ts'
import type { Notice } from '../client/store.ts'
import * as format from '../format.ts'
import { errorText } from './templates.ts'

/** How an action on several snapshots has ended. */
export type BulkReport = Pick<Notice, 'tone' | 'text'>

export function describeEach (name: string, { done, failed, left }: BulkResult<Backup>): BulkReport {
  const total = format.count(done.length + failed.length + left.length)
  return {
    tone: failed.length > 0 ? 'bad' : 'good',
    text: sentences([
      `${name}: ${format.count(done.length)} of ${total} done`,
      ...failed.length > 0 ? [`${format.count(failed.length)} failed`, ...failures(failed)] : [],
      ...notDone(left)
    ])
  }
}

/** Those that are damaged, and those without a file. */
export interface Verdicts { damaged: Backup[], gone: Backup[] }

export function describeVerdicts (
  total: number, { damaged, gone }: Verdicts, { done, failed, left }: BulkResult<Backup>
): BulkReport {
  const intact = done.filter((backup) => !damaged.includes(backup) && !gone.includes(backup)).length
  const verified = intact + damaged.length
  const areAllIntact = damaged.length === 0 && gone.length === 0 && failed.length === 0
  return {
    tone: areAllIntact ? 'good' : 'bad',
    text: sentences([
      `Verified ${format.count(verified)} of ${format.count(total)}: ${format.count(intact)} intact` +
        (damaged.length > 0 ? `, ${format.count(damaged.length)} damaged` : ''),
      ...damaged.length > 0 ? [`Damaged: ${timesOf(damaged)}`] : [],
      ...gone.length > 0 ? [`Without a file: ${timesOf(gone)}`] : [],
      ...failed.length > 0 ? [`${format.count(failed.length)} could not be verified`, ...failures(failed)] : [],
      ...notDone(left)
    ])
  }
}

/** More would fill the screen of a phone. */
const mostNamed = 3

const sentences = (texts: string[]): string => texts.map((text) => /[.!?]$/.test(text) ? text : `${text}.`).join(' ')

const timesOf = (backups: Backup[]): string => [
  ...backups.slice(0, mostNamed).map(({ startedAt }) => format.shortTime(startedAt)),
  ...backups.length > mostNamed ? [`and ${format.count(backups.length - mostNamed)} more`] : []
].join('; ')

const failures = (failed: BulkResult<Backup>['failed']): string[] => [
  ...failed.slice(0, mostNamed).map(({ item, error }) => `${format.shortTime(item.startedAt)}: ${errorText(error)}`),
  ...failed.length > mostNamed ? [`And ${format.count(failed.length - mostNamed)} more`] : []
]

const notDone = (left: Backup[]): string[] =>
  left.length > 0 ? [`Stopped: ${format.count(left.length)} not done`] : []
