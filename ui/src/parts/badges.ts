import { html, nothing, type TemplateResult } from 'lit-html'
import type { Backup } from '../../../types/index.ts'
import { stateOf } from '../words.ts'

const mark = (text: string, tone: 'warn' | 'plain', title: string): TemplateResult =>
  html`<span class="badge ${tone}" title=${title}>${text}</span>`

/** The state of a backup and its marks. */
export function badges (backup: Backup): TemplateResult {
  const { name, tone } = stateOf(backup)
  const isSuspect = backup.suspect !== null && !backup.accepted
  return html`<span class="badges">
    <span class="badge ${tone}">${name}</span>
    ${isSuspect ? mark('suspect', 'warn', 'It lost many rows compared with earlier snapshots') : nothing}
    ${backup.suspect !== null && backup.accepted ? mark('accepted', 'plain', 'It lost many rows on purpose') : nothing}
    ${backup.pinned ? mark('pinned', 'plain', 'Never pruned') : nothing}
    ${backup.held ? mark('held', 'plain', 'Not pruned for now') : nothing}
  </span>`
}
