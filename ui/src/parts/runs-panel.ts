import { html, nothing, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { Run } from '../client/store.ts'
import { store } from '../elements/view.ts'
import * as format from '../format.ts'
import { snapshotHref } from '../routes.ts'
import { runProgress } from './run-progress.ts'

const titleOf = ({ kind, trigger }: Run): string =>
  kind === 'restore' ? 'Restoring' : trigger === 'import' ? 'Importing' : 'Creating a snapshot of'

/** What runs now on any replica. */
export function runsPanel (): TemplateResult | typeof nothing {
  const runs = [...store.runs.values()]
  if (runs.length === 0) return nothing
  return html`<section class="card runs" aria-label="Running now">
    ${repeat(runs, ({ kind, id, schema }) => `${kind} ${id} ${schema}`, (run) => html`<div class="run">
      <p><b>${titleOf(run)} <span class="name">${run.schema}</span></b>
        <span class="hint">since ${format.shortTime(run.startedAt)}</span>
        <a href=${snapshotHref(run.id)}>Details</a></p>
      ${runProgress(run)}
    </div>`)}
    <p class="hint">You may close this page: the service continues.</p>
  </section>`
}
