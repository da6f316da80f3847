import { html, nothing, type TemplateResult } from 'lit-html'
import type { Backup, Problem, ProblemCode, Status } from '../../../types/index.ts'
import { loadAll } from '../client/load-history.ts'
import { Loader } from '../client/loader.ts'
import { store, View } from '../elements/view.ts'
import * as format from '../format.ts'
import { toFreshness } from '../parts/freshness.ts'
import { toPoints, type Point } from '../parts/history.ts'
import '../parts/history-chart.ts'
import { errorText, live, loading, notShown } from '../parts/templates.ts'
import { relative } from '../parts/time.ts'
import { snapshotHref, snapshotsHref } from '../routes.ts'
import { problemTitles } from '../words.ts'

const days = 90
/** A shorter history would stretch a few runs over the whole width. */
const fewestDays = 14

/** Health, the next run, and the runs of the last 90 days of one schema, or since its first run. */
export class OverviewPage extends View {
  #schema = ''
  readonly #history = new Loader<History>(() => { this.update() })

  override disconnectedCallback (): void {
    super.disconnectedCallback()
    this.#history.stop()
  }

  /** The selected schema; empty for the first one. */
  set schema (schema: string) {
    this.#schema = schema
    this.update()
  }

  template (): TemplateResult {
    const { status } = store
    if (status === null) return loading()
    const schema = this.#schema === '' ? status.newest[0]?.schema ?? '' : this.#schema
    this.#history.want({
      subject: schema, version: String(store.revision), load: (signal) => readHistory(schema, signal)
    })
    return html`
      <h1>Overview</h1>
      ${health(status)}
      ${tiles(status)}
      ${status.newest.length === 0 && this.#history.content?.points.length === 0
        ? empty()
        : this.#historyOf(schema, status)}
      ${status.newest.length > 1 ? newestOfSchemas(status) : nothing}`
  }

  #historyOf (schema: string, { newest }: Status): TemplateResult {
    const { content, error } = this.#history
    return html`<section class="card history">
      <header><h2>The last ${content?.days ?? days} days</h2>${picker(schema, newest.map((backup) => backup.schema))}
      </header>
      ${live('alert', error === null ? nothing : notShown(errorText(error), () => { this.#history.retry() }))}
      ${live('status', content === null && error === null ? loading('Loading the history…') : nothing)}
      ${content === null
        ? nothing
        : html`<history-chart .points=${content.points} .days=${content.days}></history-chart>`}
    </section>`
  }
}

interface History { points: Point[], days: number }

async function readHistory (schema: string, signal: AbortSignal): Promise<History> {
  const now = new Date()
  const from = new Date(now.getFullYear(), now.getMonth(), now.getDate() - days + 1).toISOString()
  const [{ backups, isComplete }, { backups: earlier }] = await Promise.all([
    loadAll(store.api, { schema, since: from }, signal),
    store.api.list({ schema, until: from, limit: 1 }, signal)
  ])
  const points = toPoints(backups)
  return { points, days: earlier.length > 0 && isComplete ? days : daysSince(points[0]?.time) }
}

function picker (schema: string, known: string[]): TemplateResult | typeof nothing {
  // The address may name a schema without a snapshot, whose runs have failed
  const schemas = schema === '' || known.includes(schema) ? known : [schema, ...known]
  if (schemas.length < 2) return nothing
  return html`<label>Schema <select @change=${(event: Event) => { selectSchema(event) }}>
    ${schemas.map((name) => html`<option .selected=${name === schema}>${name}</option>`)}
  </select></label>`
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

const problemItem = ({ code, message, since, backupIds, schemas }: Problem): TemplateResult => html`<li>
  <b>${problemTitles[code]}</b>
  ${since === null
    ? nothing
    : html`<span class="hint">since ${format.shortTime(since)} (${relative(since)})</span>`}
  <p>${message}</p>
  ${code === 'run_failed'
    ? html`<a href=${snapshotsHref({ status: 'failed' })}>Show failed runs</a>`
    : snapshotLinks(backupIds, schemas)}
</li>`

/** More are in the list of snapshots. */
const mostLinks = 5

/** To the snapshots that a problem is about; `schemas` has the schema of each of them. */
function snapshotLinks (backupIds: string[], schemas: string[]): TemplateResult | typeof nothing {
  if (backupIds.length === 0) return nothing
  const links = backupIds.slice(0, mostLinks).map((id, index) => html`<a href=${snapshotHref(id)}>${
    backupIds.length === 1 ? 'Show the snapshot' : html`<span class="name">${schemas[index] ?? id.slice(0, 8)}</span>`
  }</a> `)
  return html`<p class="links">${backupIds.length === 1 ? nothing : 'Show: '}${links}${backupIds.length > mostLinks
    ? html`and ${format.count(backupIds.length - mostLinks)} more`
    : nothing}</p>`
}

/** With these, the status does not contain what exists. */
const blinding: ProblemCode[] = ['database_unavailable', 'log_unusable', 'storage_unavailable']

const tile = (name: string, value: unknown, hint: unknown): TemplateResult =>
  html`<div class="card tile"><dt>${name}</dt><dd>${value}</dd><dd class="hint">${hint}</dd></div>`

function tiles (status: Status): TemplateResult {
  const { nextRunAt, bytesHeld } = status
  return html`<dl class="tiles">
    ${freshnessTile(status)}
    ${nextRunAt === null
      ? tile('Next run', 'none', 'Nothing is scheduled')
      : tile('Next run', relative(nextRunAt), format.exactTime(nextRunAt))}
    ${tile('Space used', format.bytes(bytesHeld),
      bytesHeld === null ? 'The storage does not answer' : 'by all snapshots')}
  </dl>`
}

function freshnessTile (status: Status): TemplateResult {
  const { schemas, withoutGood, stalest } = toFreshness(status)
  const isKnown = !status.problems.some(({ code }) => blinding.includes(code))
  if (schemas > 1 && withoutGood.length > 0 && isKnown) {
    const [first = ''] = withoutGood
    const others = withoutGood.length > 1 ? html` and ${format.count(withoutGood.length - 1)} more` : nothing
    const share = `${format.count(withoutGood.length)} of ${format.plural(schemas, 'schema')}`
    return tile('Without a good snapshot', share,
      html`<a href=${snapshotsHref({ schema: first })}>${first}</a>${others}`)
  }
  if (stalest === null) {
    return tile('Newest good snapshot', isKnown ? 'none' : 'not known', isKnown ? '' : 'See the problems')
  }
  const { id, schema, rowCount, finishedAt, startedAt } = stalest
  const text = `${schema}, ${schemas > 1
    ? `the oldest of ${format.plural(schemas, 'schema')}`
    : format.plural(rowCount ?? 0, 'row')}`
  const isNewest = status.newest.some((newest) => newest.id === id)
  return tile('Newest good snapshot', relative(finishedAt ?? startedAt),
    html`<a href=${snapshotHref(id)}>${text}</a>${isNewest ? nothing : '; not the newest one'}`)
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
      <td class="number">${format.bytes(backup.storedBytes)}</td></tr>`)}</tbody>
  </table></div>
</section>`

customElements.define('overview-page', OverviewPage)
