import { html, nothing, type TemplateResult } from 'lit-html'
import type { Backup, Origin, VerificationRecord } from '../../../types/index.ts'
import * as format from '../format.ts'
import { triggerNames } from '../words.ts'
import { list, name } from './templates.ts'
import { relative } from './time.ts'

/** What the log says about a backup. */
export function facts (backup: Backup): TemplateResult {
  const { origin, warnings, excludedTables, verification } = backup
  const fact = (label: string, value: unknown): TemplateResult | typeof nothing =>
    value === null ? nothing : html`<div><dt>${label}</dt><dd>${value}</dd></div>`
  const code = (text: string | null): TemplateResult | null => text === null ? null : html`<code>${text}</code>`
  return html`<dl class="facts">
    ${fact('Started', html`${format.exactTime(backup.startedAt)} (${relative(backup.startedAt)})`)}
    ${fact('Duration', backup.durationMs === null ? null : format.duration(backup.durationMs))}
    ${fact('Trigger', `${triggerNames[backup.trigger]}${backup.cron === null ? '' : `, ${backup.cron}`}`)}
    ${fact('By', backup.createdBy)}
    ${fact('Note', backup.note)}
    ${fact('Rows', rowsOf(backup))}
    ${fact('Size', sizeOf(backup))}
    ${fact('File', code(backup.filename))}
    ${fact('Checksum', code(backup.checksum))}
    ${fact('Id', code(backup.id))}
    ${fact('Came from', origin === null ? null : originOf(origin))}
    ${fact('Left out', excludedTables.length === 0 ? null : list(excludedTables))}
    ${fact('Warnings', warnings.length === 0 ? null : list(warnings))}
    ${fact('Verified', verification === null ? null : verified(verification))}
  </dl>`
}

const rowsOf = ({ rowCount, tableCount }: Backup): string | null =>
  rowCount === null ? null : `${format.count(rowCount)} in ${format.plural(tableCount ?? 0, 'table')}`

function sizeOf ({ sizeBytes, storedBytes, compression }: Backup): string | null {
  if (sizeBytes === null) return null
  return compression === 'none'
    ? `${format.bytes(sizeBytes)} (${format.plural(sizeBytes, 'byte')})`
    : `${format.bytes(sizeBytes)} of JSON, ${format.bytes(storedBytes)} stored (${compression})`
}

const originOf = ({ database, postgres, createdAt }: Origin): TemplateResult => html`database ${name(database)},
  PostgreSQL ${postgres}, taken ${format.exactTime(createdAt)}`

const verified = ({ ok, at, problems }: VerificationRecord): TemplateResult =>
  html`${ok ? 'intact' : 'damaged'}, ${relative(at)}${ok ? nothing : list(problems)}`
