import { html, nothing, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { Backup, BackupList } from '../../../types/index.ts'
import { ApiError, type ListQuery } from '../client/api.ts'
import { actOnEach, type BulkResult } from '../client/bulk-action.ts'
import { Loader } from '../client/loader.ts'
import { ConfirmDialog } from '../dialogs/confirm-dialog.ts'
import { openDialog } from '../elements/dialog-view.ts'
import { store, View } from '../elements/view.ts'
import * as format from '../format.ts'
import { badges } from '../parts/badges.ts'
import { type BulkReport, describeEach, describeVerdicts, type Verdicts } from '../parts/bulk-report.ts'
import { button, errorText, live, loading, name, notShown } from '../parts/templates.ts'
import { relative } from '../parts/time.ts'
import { noFilter, snapshotHref, snapshotsHref, type SnapshotFilter } from '../routes.ts'
import { triggerNames } from '../words.ts'

const pageSize = 50

const columns = ['Time', 'Schema', 'Status', 'Trigger', 'Rows', 'Size', 'Duration', 'By', 'Note']
const numbers = new Set(['Rows', 'Size', 'Duration'])

interface Work {
  text: string
  /** Of the present one; null if it is not known. */
  percent: number | null
  stopping: AbortController
}

/** The list of backups, with filters and pages. */
export class SnapshotsPage extends View {
  #filter: SnapshotFilter = noFilter
  readonly #list = new Loader<BackupList>(() => { this.#onList() })
  /** The cursors of the pages up to the present one. */
  #pages: string[] = ['']
  #filterOfPages = ''
  #selected = new Set<string>()
  /** What is being done with the selected ones. */
  #work: Work | null = null

  override disconnectedCallback (): void {
    super.disconnectedCallback()
    this.#list.stop()
    this.#work?.stopping.abort()
  }

  set filter (filter: SnapshotFilter) {
    this.#filter = filter
    this.update()
  }

  template (): TemplateResult {
    this.#load()
    const { content, error } = this.#list
    return html`
      <h1>Snapshots</h1>
      ${this.#filters()}
      ${live('alert', error === null ? nothing : notShown(errorText(error), () => { this.#list.retry() }))}
      <p class="hidden" role="status">${this.#announcement()}</p>
      ${this.#selection(content?.backups ?? [])}
      ${content === null
        ? error === null ? loading() : nothing
        : this.#table(content)}`
  }

  /** For screen readers: what a filter, a selection or an action has changed. */
  #announcement (): string {
    if (this.#work !== null) return workText(this.#work)
    if (this.#selected.size > 0) return `${format.count(this.#selected.size)} selected`
    const { content } = this.#list
    if (content === null) return ''
    return content.backups.length === 0 ? 'No snapshots' : format.plural(content.backups.length, 'snapshot')
  }

  #load (): void {
    const filter = JSON.stringify(this.#filter)
    if (filter !== this.#filterOfPages) {
      this.#filterOfPages = filter
      this.#pages = ['']
      this.#selected.clear()
    }
    const before = this.#pages.at(-1) ?? ''
    const { schema, status, trigger, from, to } = this.#filter
    const query = { schema, status, trigger, since: startOf(from, 0), until: startOf(to, 1), before, limit: pageSize }
    this.#list.want({
      subject: filter,
      version: `${store.revision} ${before}`,
      load: (signal) => this.#readPage(query, signal)
    })
  }

  /** The page that the query asks for, or the last one before it that is not empty: others may have been deleted. */
  async #readPage (query: ListQuery, signal: AbortSignal): Promise<BackupList> {
    const pages = [...this.#pages]
    while (true) {
      const list = await store.api.list({ ...query, before: pages.at(-1) ?? '' }, signal)
      if (list.backups.length > 0 || pages.length === 1) {
        if (!signal.aborted) this.#pages = pages
        return list
      }
      pages.pop()
    }
  }

  #onList (): void {
    const present = new Set(this.#list.content?.backups.map(({ id }) => id))
    this.#selected = new Set([...this.#selected].filter((id) => present.has(id)))
    this.update()
  }

  #filters (): TemplateResult {
    const { schema, status, trigger, from, to } = this.#filter
    const option = (value: string, text: string, current: string): TemplateResult =>
      html`<option value=${value} .selected=${value === current}>${text}</option>`
    const schemas = store.status?.newest.map(({ schema: name }) => name) ?? []
    return html`<form class="filters" @change=${(event: Event) => { applyFilter(event) }} @submit=${applyFilter}>
      <label>Schema <input name="schema" list="schemas" .value=${schema} maxlength="63" placeholder="any"></label>
      <datalist id="schemas">${schemas.map((name) => html`<option value=${name}></option>`)}</datalist>
      <label>Status <select name="status">${option('', 'any', status)}
        ${['completed', 'restored', 'failed', 'running'].map((name) => option(name, name, status))}</select></label>
      <label>Trigger <select name="trigger">${option('', 'any', trigger)}
        ${Object.entries(triggerNames).map(([value, name]) => option(value, name, trigger))}</select></label>
      <label>From <input type="date" name="from" .value=${from}></label>
      <label>To <input type="date" name="to" .value=${to}></label>
      ${isFiltering(this.#filter) ? html`<a class="button" href=${snapshotsHref()}>Clear filters</a>` : nothing}
    </form>`
  }

  #table ({ backups, next }: BackupList): TemplateResult {
    if (backups.length === 0) {
      const isFiltered = isFiltering(this.#filter)
      return html`<section class="card empty">
        <h2>${isFiltered ? 'Nothing matches the filters' : 'There is no snapshot yet'}</h2>
        <p>${isFiltered ? filterHint(this.#filter) : 'Create one, import a file, or switch the schedule on.'}</p>
      </section>`
    }
    const selectable = backups.filter(({ status }) => status !== 'running')
    const areAll = selectable.length > 0 && selectable.every(({ id }) => this.#selected.has(id))
    return html`<div class="card scroll"><table class="snapshots" role="table">
        <thead role="rowgroup"><tr role="row">
          <th class="check" role="columnheader"><label class="check-line">
            <input type="checkbox" .checked=${areAll} .indeterminate=${!areAll && this.#selected.size > 0}
              @change=${() => { this.#toggleAll(selectable, !areAll) }}>
            <span>Select all on this page</span></label></th>
          ${columns.map((column) => html`<th scope="col" role="columnheader"
            class=${numbers.has(column) ? 'number' : nothing}>${column}</th>`)}
        </tr></thead>
        <tbody role="rowgroup">${repeat(backups, ({ id }) => id, (backup) => this.#row(backup))}</tbody>
      </table></div>
      ${this.#paging(next)}`
  }

  #row (backup: Backup): TemplateResult {
    const { id, schema, trigger, rowCount, storedBytes, durationMs, createdBy, note, startedAt, error } = backup
    const text = note ?? error
    const cell = (label: string, value: unknown, isKnown = true): TemplateResult =>
      html`<td role="cell" data-label=${label}
        class="${numbers.has(label) ? 'number' : ''} ${isKnown ? '' : 'none'}">${value}</td>`
    return html`<tr role="row">
      <td class="check" role="cell"><input type="checkbox"
        aria-label=${`Select the snapshot of ${format.shortTime(startedAt)}`}
        ?disabled=${backup.status === 'running'} .checked=${this.#selected.has(id)}
        @change=${() => { this.#toggle(id) }}></td>
      <th scope="row" role="rowheader"><a href=${snapshotHref(id)}>${relative(startedAt)}</a></th>
      ${cell('Schema', name(schema))}
      ${cell('Status', badges(backup))}
      ${cell('Trigger', triggerNames[trigger])}
      ${cell('Rows', format.count(rowCount), rowCount !== null)}
      ${cell('Size', format.bytes(storedBytes), storedBytes !== null)}
      ${cell('Duration', format.duration(durationMs), durationMs !== null)}
      ${cell('By', cut(createdBy), createdBy !== null)}
      ${cell('Note', cut(text), text !== null)}
    </tr>`
  }

  #selection (backups: Backup[]): TemplateResult | typeof nothing {
    const chosen = backups.filter(({ id }) => this.#selected.has(id))
    if (this.#work !== null) {
      const { stopping } = this.#work
      return working(this.#work, () => {
        stopping.abort()
        this.update()
      })
    }
    if (chosen.length === 0) return nothing
    const can = store.status?.can
    const withFile = chosen.filter(({ available }) => available)
    return html`<div class="selection" role="group" aria-label="With the selected ones">
      <span>${format.count(chosen.length)} selected</span>
      ${button('Pin', {
        disabled: withFile.length === 0,
        onClick: () => {
          void this.#each('Pinning', withFile, async ({ id }) => { await store.api.update(id, { pinned: true }) })
        }
      })}
      ${button('Verify', {
        disabled: withFile.length === 0,
        onClick: () => { void this.#verifyEach(chosen) }
      })}
      ${button('Delete…', {
        tone: 'danger',
        disabled: can?.remove !== true,
        reason: can?.remove === false && 'You may not delete snapshots',
        onClick: () => { this.#confirmRemoval(chosen) }
      })}
    </div>`
  }

  #confirmRemoval (chosen: Backup[]): void {
    const pinned = chosen.filter((backup) => backup.pinned).length
    openDialog(new ConfirmDialog({
      heading: `Delete ${format.plural(chosen.length, 'snapshot')}?`,
      text: 'The files and their rows in the log are deleted. This cannot be undone.' +
        (pinned > 0 ? ` ${format.count(pinned)} of them ${pinned === 1 ? 'is' : 'are'} pinned.` : ''),
      action: 'Delete',
      // The list shows how far it is, and can cancel it
      run: async () => { void this.#each('Deleting', chosen, ({ id }) => store.api.remove(id)) }
    }))
  }

  async #verifyEach (chosen: Backup[]): Promise<void> {
    const verdicts: Verdicts = { damaged: [], gone: chosen.filter(({ available }) => !available) }
    await this.#each('Verifying', chosen.filter(({ available }) => available), async (backup) => {
      try {
        const { ok } = await store.api.verify(backup.id, {
          signal: this.left,
          onProgress: ({ percent }) => { this.#showPercent(percent) }
        })
        if (!ok) verdicts.damaged.push(backup)
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== 'FST_BACKUP_FILE_GONE') throw error
        verdicts.gone.push(backup)
      }
    }, (result) => describeVerdicts(chosen.length, verdicts, result))
  }

  async #each (
    name: string, backups: Backup[], act: (backup: Backup) => Promise<void>,
    describe = (result: BulkResult<Backup>): BulkReport => describeEach(name, result)
  ): Promise<void> {
    const stopping = new AbortController()
    const result = await actOnEach(backups, {
      act,
      onItem: (number) => {
        const text = `${name} ${format.count(number)} of ${format.count(backups.length)}…`
        this.#work = { text, percent: null, stopping }
        this.update()
      },
      signal: stopping.signal
    })
    this.#work = null
    // What was not done stays selected, for another attempt
    this.#selected = new Set(result.left.map(({ id }) => id))
    this.update()
    if (store.access !== 'granted') return
    const { tone, text } = describe(result)
    store.notify(tone, text)
    store.touch()
  }

  /** Of the one that is being verified. */
  #showPercent (percent: number | null): void {
    if (this.#work !== null) this.#work.percent = percent
    this.update()
  }

  #toggle (id: string): void {
    if (!this.#selected.delete(id)) this.#selected.add(id)
    this.update()
  }

  #toggleAll (backups: Backup[], isSelected: boolean): void {
    this.#selected = new Set(isSelected ? backups.map(({ id }) => id) : [])
    this.update()
  }

  #paging (next: string | null): TemplateResult | typeof nothing {
    if (next === null && this.#pages.length === 1) return nothing
    const go = (pages: string[]): void => {
      this.#pages = pages
      this.#selected.clear()
      this.update()
      scrollTo(0, 0)
    }
    return html`<nav class="paging" aria-label="Pages of the list">
      ${button('Newer', {
        disabled: this.#pages.length === 1,
        reason: 'These are the newest',
        onClick: () => { go(this.#pages.slice(0, -1)) }
      })}
      <span>Page ${format.count(this.#pages.length)}</span>
      ${button('Older', {
        disabled: next === null,
        reason: 'These are the oldest',
        onClick: () => { go([...this.#pages, next ?? '']) }
      })}
    </nav>`
  }
}

const cut = (text: string | null): TemplateResult =>
  html`<span class="cut" title=${text ?? nothing}>${text ?? '–'}</span>`

const workText = ({ text, stopping }: Work): string =>
  stopping.signal.aborted ? 'Stopping after the present one…' : text

function working (work: Work, onCancel: () => void): TemplateResult {
  return html`<div class="selection" role="group" aria-label="With the selected ones">
    <span>${workText(work)}${work.percent === null ? nothing : html` ${format.percent(work.percent / 100)}`}</span>
    ${button('Cancel', { disabled: work.stopping.signal.aborted, onClick: onCancel })}
  </div>`
}

const isFiltering = (filter: SnapshotFilter): boolean => Object.values(filter).some((value) => value !== '')

const filterHint = ({ from, to }: SnapshotFilter): string => from !== '' && to !== '' && from > to
  ? 'The dates are reversed: “From” is later than “To”.'
  : 'Change or clear them.'

function applyFilter (event: Event): void {
  event.preventDefault()
  if (!(event.currentTarget instanceof HTMLFormElement)) return
  const given = [...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value).trim()])
  location.hash = snapshotsHref(Object.fromEntries(given))
}

/** The start of a day in the zone of the reader, or of the day after; empty for no restriction. */
function startOf (day: string, after: number): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  const time = new Date(year, month - 1, date + after)
  return day === '' || Number.isNaN(time.getTime()) ? '' : time.toISOString()
}

customElements.define('snapshots-page', SnapshotsPage)
