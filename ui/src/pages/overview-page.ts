import { html, nothing, type TemplateResult } from 'lit-html'
import type { Backup, Problem, ProblemCode, Status } from '../../../types/index.ts'
import { isAbort } from '../client/api.ts'
import { loadAll } from '../client/load-history.ts'
import { store, View } from '../elements/view.ts'
import * as format from '../format.ts'
import { toPoints, type Point } from '../parts/history.ts'
import '../parts/history-chart.ts'
import { errorText, failure, live, loading } from '../parts/templates.ts'
import { relative } from '../parts/time.ts'
import { snapshotHref, snapshotsHref } from '../routes.ts'
import { problemTitles } from '../words.ts'

const days = 90
/** A shorter history would stretch a few runs over the whole width. */
const fewestDays = 14

/** Health, the next run, and the runs of the last 90 days of one schema, or since its first run. */
export class OverviewPage extends View {
  #schema = ''
  #points: Point[] | null = null
  #days = days
  #error: string | null = null
  #loaded = ''
  #loadedSchema = ''
  #loading = new AbortController()

  override disconnectedCallback (): void {
    super.disconnectedCallback()
    this.#loading.abort()
    this.#loaded = ''
  }

  /** The selected schema; empty for the first one. */
  set schema (schema: string) {
    this.#schema = schema
    this.update()
  }

  template (): TemplateResult {
    const { status, statusError } = store
    if (status === null) return loading()
    const schema = this.#schema === '' ? status.newest[0]?.schema ?? '' : this.#schema
    this.#load(schema)
    return html`
      <h1>Overview</h1>
      ${live('alert', statusError === null ? nothing : failure(`${statusError.message}. What you see may be old.`))}
      ${health(status)}
      ${tiles(status)}
      ${status.newest.length === 0 && this.#points?.length === 0 ? empty() : this.#history(status, schema)}
      ${status.newest.length > 1 ? newestOfSchemas(status) : nothing}`
  }

  /** Loads again when the schema or the list has changed. */
  #load (schema: string): void {
    const wanted = `${store.revision} ${schema}`
    if (wanted === this.#loaded) return
    this.#loaded = wanted
    // The runs of another schema must not be shown under this name
    if (schema !== this.#loadedSchema) this.#points = null
    this.#loadedSchema = schema
    this.#loading.abort()
    this.#loading = new AbortController()
    const now = new Date()
    const from = new Date(now.getFullYear(), now.getMonth(), now.getDate() - days + 1)
    this.#loadSince(schema, from, this.#loading.signal).catch((error: unknown) => {
      if (!isAbort(error)) this.#error = errorText(error)
    }).finally(() => { this.update() })
  }

  async #loadSince (schema: string, from: Date, signal: AbortSignal): Promise<void> {
    const [{ backups, isComplete }, { backups: earlier }] = await Promise.all([
      loadAll(store.api, { schema, since: from.toISOString() }, signal),
      store.api.list({ schema, until: from.toISOString(), limit: 1 }, signal)
    ])
    this.#points = toPoints(backups)
    this.#days = earlier.length > 0 && isComplete ? days : daysSince(this.#points[0]?.time)
    this.#error = null
  }

  #history (status: Status, schema: string): TemplateResult {
    const content = this.#points === null
      ? nothing
      : html`<history-chart .points=${this.#points} .days=${this.#days}></history-chart>`
    return html`<section class="card history">
      <header><h2>The last ${this.#days} days</h2>
        ${status.newest.length > 1
          ? html`<label>Schema <select @change=${(event: Event) => { selectSchema(event) }}>
              ${status.newest.map(({ schema: name }) => html`<option .selected=${name === schema}>${name}</option>`)}
            </select></label>`
          : nothing}
      </header>
      ${live('status', this.#error !== null
        ? failure(this.#error)
        : this.#points === null ? loading('Loading the history…') : nothing)}
      ${this.#error === null ? content : nothing}
    </section>`
  }
}

/** Days from this time until today, both included, in the zone of the reader. */
function daysSince (time = Date.now()): number {
  const midnight = (date: Date): number => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime()
  const between = Math.round((midnight(new Date()) - midnight(new Date(time))) / 86_400_000)
  return Math.min(days, Math.max(fewestDays, between + 1))
}

function selectSchema ({ target }: Event): void {
  if (!(target instanceof HTMLSelectElement)) return
  location.hash = `#/?${new URLSearchParams({ schema: target.value }).toString()}`
}

function health ({ healthy, problems, newest, nextRunAt }: Status): TemplateResult {
  if (healthy) {
    return html`<section class="card health good">
      <p><b>Healthy.</b> ${newest.length === 0 || nextRunAt === null
        ? 'No problem is known.'
        : 'Snapshots are recent and their files are present.'}</p></section>`
  }
  return html`<section class="card health bad" aria-label="Problems">
    <h2>${format.plural(problems.length, 'problem')}</h2>
    <ul>${problems.map(problemItem)}</ul>
  </section>`
}

const problemItem = ({ code, message, since }: Problem): TemplateResult => html`<li>
  <b>${problemTitles[code]}</b>
  ${since === null
    ? nothing
    : html`<span class="hint">since ${format.shortTime(since)} (${relative(since)})</span>`}
  <p>${message}</p>
  ${code === 'run_failed' ? html`<a href=${snapshotsHref({ status: 'failed' })}>Show failed runs</a>` : nothing}
</li>`

/** With these, the status does not contain what exists. */
const blinding: ProblemCode[] = ['database_unavailable', 'log_unusable', 'storage_unavailable']

function tiles ({ newest, nextRunAt, bytesHeld, problems }: Status): TemplateResult {
  const isKnown = !problems.some(({ code }) => blinding.includes(code))
  const good = newest.filter(({ available, suspect, accepted }) => available && (suspect === null || accepted))
    .sort((a, b) => b.startedAt.localeCompare(a.startedAt))[0]
  const tile = (name: string, value: unknown, hint: unknown): TemplateResult =>
    html`<div class="card tile"><dt>${name}</dt><dd>${value}</dd><dd class="hint">${hint}</dd></div>`
  return html`<dl class="tiles">
    ${good === undefined
      ? tile('Newest good snapshot', isKnown ? 'none' : 'not known', isKnown ? '' : 'See the problems')
      : tile('Newest good snapshot', relative(good.finishedAt ?? good.startedAt),
        html`<a href=${snapshotHref(good.id)}>${good.schema}, ${format.plural(good.rowCount ?? 0, 'row')}</a>`)}
    ${nextRunAt === null
      ? tile('Next run', 'none', 'Nothing is scheduled')
      : tile('Next run', relative(nextRunAt), format.exactTime(nextRunAt))}
    ${tile('Space used', format.bytes(bytesHeld),
      bytesHeld === null ? 'The storage does not answer' : 'by all snapshots')}
  </dl>`
}

const empty = (): TemplateResult => html`<section class="card empty">
  <h2>There is no snapshot yet</h2>
  <p>Create one, import a file, or switch the schedule on.</p>
</section>`

const newestOfSchemas = ({ newest }: Status): TemplateResult => html`<section class="card">
  <h2>Newest snapshot of each schema</h2>
  <div class="scroll"><table>
    <thead><tr><th scope="col">Schema</th><th scope="col">Taken</th><th scope="col" class="number">Rows</th>
      <th scope="col" class="number">Size</th></tr></thead>
    <tbody>${newest.map((backup: Backup) => html`<tr>
      <th scope="row"><a href=${snapshotHref(backup.id)} class="name">${backup.schema}</a></th>
      <td>${relative(backup.startedAt)}</td><td class="number">${format.count(backup.rowCount)}</td>
      <td class="number">${format.bytes(backup.sizeBytes)}</td></tr>`)}</tbody>
  </table></div>
</section>`

customElements.define('overview-page', OverviewPage)
