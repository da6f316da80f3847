import { html, nothing, type TemplateResult } from 'lit-html'
import type { RestoreRecord } from '../../../types/index.ts'
import * as format from '../format.ts'
import { snapshotHref } from '../routes.ts'
import { remedyOf } from './failures.ts'
import { name } from './templates.ts'
import { relative } from './time.ts'

const tones: Record<RestoreRecord['status'], string> = { running: 'busy', completed: 'good', failed: 'bad' }

/** The restores of a snapshot, newest first. */
export function restoreHistory (restores: RestoreRecord[]): TemplateResult | typeof nothing {
  if (restores.length === 0) return nothing
  return html`<section class="card restores" aria-label="Restores">
    <h2>${format.plural(restores.length, 'restore')}</h2>
    <ol>${restores.map(restoreItem)}</ol>
    ${restores.length < 20 ? nothing : html`<p class="hint">Earlier restores are not recorded here.</p>`}
  </section>`
}

function restoreItem ({
  status, schema, startedAt, finishedAt, by, preRestoreId, error, errorCode
}: RestoreRecord): TemplateResult {
  const durationMs = finishedAt === null ? null : Date.parse(finishedAt) - Date.parse(startedAt)
  return html`<li>
    <p><span class="badge ${tones[status]}">${status}</span> into ${name(schema)}, ${relative(finishedAt ?? startedAt)}
      <span class="hint">${[
        ...by === null ? [] : [`by ${by}`],
        ...durationMs === null ? [] : [`took ${format.duration(durationMs)}`]
      ].join(' · ')}</span></p>
    ${error === null ? nothing : html`<p class="cause">${error}</p><p>${remedyOf(errorCode)}</p>`}
    ${preRestoreId === null
      ? nothing
      : html`<p><a href=${snapshotHref(preRestoreId)}>The snapshot of the rows before the restore of
          ${format.shortTime(startedAt)}</a></p>`}
  </li>`
}
