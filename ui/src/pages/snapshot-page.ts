import { html, nothing, type TemplateResult } from 'lit-html'
import type { Backup, Manifest, SuspectTable, Verification } from '../../../types/index.ts'
import { isAbort, type ApiError } from '../client/api.ts'
import { jsonOf, type SavedFile, saveSnapshot, storedFile } from '../client/save-snapshot.ts'
import { ConfirmDialog } from '../dialogs/confirm-dialog.ts'
import { NoteDialog } from '../dialogs/note-dialog.ts'
import { RestoreDialog } from '../dialogs/restore-dialog.ts'
import { openDialog } from '../elements/dialog-view.ts'
import { store, View } from '../elements/view.ts'
import * as format from '../format.ts'
import { badges } from '../parts/badges.ts'
import { facts } from '../parts/facts.ts'
import { contents } from '../parts/contents.ts'
import { failureText, remedyOf } from '../parts/failures.ts'
import { transferProgress } from '../parts/run-progress.ts'
import { restoreHistory } from '../parts/restores.ts'
import {
  button, errorText, failure, list, live, loading, name, notShown, restoresAreOff
} from '../parts/templates.ts'
import { triggerNames } from '../words.ts'

/** `progress` is not announced by screen readers: it changes too often. */
interface Busy { text: string, progress?: TemplateResult }

/** One backup: what it is, what it contains, and what can be done with it. */
export class SnapshotPage extends View {
  #backupId = ''
  #backup: Backup | null = null
  #manifest: Manifest | null = null
  /** The one before of the same schema, for the changes. */
  #previous: Manifest | null = null
  #verification: Verification | null = null
  #error: ApiError | null = null
  #contentsError: string | null = null
  /** Whether earlier snapshots are held, because this one is suspect; null if it is not known. */
  #holds: boolean | null = null
  /** What is under way. */
  #busy: Busy | null = null
  #loaded = ''
  /** Ends what was requested for this snapshot, also downloads. */
  #ofSnapshot = new AbortController()

  override disconnectedCallback (): void {
    super.disconnectedCallback()
    this.#ofSnapshot.abort()
  }

  /** Of the backup to show. */
  set backupId (id: string) {
    this.#backupId = id
    this.#backup = this.#manifest = this.#previous = this.#verification = this.#error = this.#contentsError = null
    this.#busy = null
    this.#holds = null
    this.#ofSnapshot.abort()
    this.#ofSnapshot = new AbortController()
    this.update()
  }

  template (): TemplateResult {
    void this.#load()
    const error = this.#error
    // What cannot be loaded again stays, unless it is gone
    const backup = error?.status === 404 ? null : this.#backup
    return html`<p><a class="back" href="#/snapshots">All snapshots</a></p>
      ${backup === null ? nothing : this.#head(backup)}
      ${live('alert', html`${error === null ? nothing : this.#failure(error, backup)}${this.#damage()}`)}
      <div class=${this.#busy === null ? nothing : 'message'}>
        ${live('status', this.#busy === null ? this.#intactness() : html`<p>${this.#busy.text}</p>`)}
        ${this.#busy?.progress ?? nothing}
      </div>
      ${backup !== null ? this.#page(backup) : error === null ? loading() : nothing}`
  }

  #failure (error: ApiError, backup: Backup | null): TemplateResult {
    if (error.status === 404) {
      return html`<div class="message bad">
        <h1>There is no such snapshot</h1><p>It may have been pruned or deleted.</p></div>`
    }
    return html`${backup === null ? html`<h1>The snapshot cannot be shown</h1>` : nothing}
      ${notShown(errorText(error), () => { this.#reload() })}`
  }

  #reload (): void {
    this.#loaded = ''
    this.update()
  }

  async #load (): Promise<void> {
    const id = this.#backupId
    const wanted = `${store.revision} ${id}`
    if (wanted === this.#loaded) return
    this.#loaded = wanted
    try {
      const backup = await store.api.get(id, this.#ofSnapshot.signal)
      const holds = isPending(backup) ? await this.#readHolds(backup).catch(() => null) : null
      if (wanted !== this.#loaded) return
      this.#holds = holds
      this.#backup = backup
      this.#error = null
      this.update()
      if (backup.available && this.#manifest === null) await this.#loadContents(backup)
    } catch (error) {
      if (wanted === this.#loaded && !isAbort(error)) this.#error = error as ApiError
    }
    this.update()
  }

  async #readHolds ({ schema, startedAt }: Backup): Promise<boolean> {
    const { backups } = await store.api.list({ schema, until: startedAt, limit: 50 }, this.#ofSnapshot.signal)
    return backups.some(({ held }) => held)
  }

  async #loadContents ({ id, schema, startedAt }: Backup): Promise<void> {
    const { signal } = this.#ofSnapshot
    try {
      const manifest = await store.api.manifest(id, signal)
      this.#manifest = manifest
      this.#contentsError = null
      this.update()
      const { backups } = await store.api.list({ schema, until: startedAt, limit: 20 }, signal)
      const before = backups.find((other) => other.available && other.id !== id &&
        (other.trigger === 'manual' || other.trigger === 'scheduled'))
      this.#previous = before === undefined ? null : await store.api.manifest(before.id, signal)
    } catch (error) {
      if (!signal.aborted) this.#contentsError = errorText(error)
    }
  }

  #head (backup: Backup): TemplateResult {
    return html`<h1><span class="name">${backup.schema}</span> ${format.exactTime(backup.startedAt)}</h1>
      <div class="title-row">${badges(backup)}${this.#actions(backup)}</div>
      ${backup.available ? restoreHint() : nothing}`
  }

  #page (backup: Backup): TemplateResult {
    return html`${failureOf(backup)}${this.#suspicion(backup)}
      <section class="card"><h2>About</h2>${facts(backup)}</section>
      ${restoreHistory(backup.restores)}
      ${backup.available ? this.#contents() : nothing}`
  }

  #contents (): TemplateResult {
    if (this.#contentsError !== null) return failure(this.#contentsError)
    if (this.#manifest === null) return loading('Loading the contents…')
    return contents(this.#manifest, this.#previous)
  }

  #actions (backup: Backup): TemplateResult {
    const { id, available, pinned, status } = backup
    const can = store.status?.can
    const isBusy = this.#busy !== null || status === 'running'
    return html`<div class="actions">
      ${available
        ? html`
          ${button(can?.restore === true ? 'Restore…' : 'Plan a restore…', {
            tone: can?.restore === true ? 'primary' : undefined,
            onClick: () => { openDialog(new RestoreDialog(backup)) }
          })}
          ${button('Download', { disabled: isBusy, onClick: () => { void this.#download(storedFile(backup)) } })}
          ${backup.compression === 'none'
            ? nothing
            : button('Download as JSON', {
              disabled: isBusy, onClick: () => { void this.#download(jsonOf(backup)) }
            })}
          ${button('Verify', { disabled: isBusy, onClick: () => { void this.#verify(backup) } })}
          ${button(pinned ? 'Unpin' : 'Pin', {
            disabled: isBusy || (pinned && can?.remove !== true),
            reason: pinned && can?.remove === false && 'You may not unpin snapshots',
            onClick: () => {
              void this.#do(pinned ? 'Unpinning…' : 'Pinning…', () => store.api.update(id, { pinned: !pinned }))
            }
          })}`
        : nothing}
      ${button('Note…', { disabled: isBusy, onClick: () => { openDialog(new NoteDialog(backup)) } })}
      ${button('Delete…', {
        tone: 'danger',
        disabled: isBusy || can?.remove !== true,
        reason: can?.remove === false && 'You may not delete snapshots',
        onClick: () => { this.#confirmRemoval(backup) }
      })}
    </div>`
  }

  #suspicion (backup: Backup): TemplateResult | typeof nothing {
    const { suspect, accepted, held } = backup
    if (suspect === null) {
      return held
        ? html`<p class="message">This snapshot is held: it is not pruned until a later one is good or accepted.</p>`
        : nothing
    }
    return html`<section class="message warn">
      <h2>Much smaller than the ones before${accepted ? ', and accepted' : ''}</h2>
      ${shrunkTables(suspect)}
      ${accepted ? nothing : this.#acceptance(backup)}
    </section>`
  }

  #acceptance (backup: Backup): TemplateResult {
    const isNewest = store.status?.newest.some(({ id }) => id === backup.id) === true
    if (this.#holds === false && !isNewest) {
      return html`<p>The snapshots before it are pruned as usual: later ones were good again, or its rows were
        restored.</p>`
    }
    return html`<p>${this.#holds === true ? 'The good snapshots before it are not pruned.' : nothing}
        If the rows were deleted on purpose, accept it: later ones are then compared with it.</p>
      ${button('Accept…', {
        disabled: store.status?.can.remove !== true,
        reason: store.status?.can.remove === false && 'You may not accept snapshots',
        onClick: () => { confirmAcceptance(backup) }
      })}`
  }

  #intactness (): TemplateResult | typeof nothing {
    return this.#verification?.ok === true
      ? html`<p class="message good">The file is complete and intact.</p>`
      : nothing
  }

  #damage (): TemplateResult | typeof nothing {
    if (this.#verification === null || this.#verification.ok) return nothing
    return html`<section class="message bad"><h2>The file is damaged</h2>${list(this.#verification.problems)}</section>`
  }

  /** The reader may look at another snapshot before it has ended. */
  async #do (text: string, act: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#ofSnapshot
    this.#showBusy(signal, { text })
    try {
      await act()
    } catch (error) {
      const unknown = 'It may be done. This page shows it when the service answers again.'
      if (!isAbort(error)) store.notify('bad', failureText(error, unknown))
    }
    this.#showBusy(signal, null)
    store.touch()
  }

  /** @param signal of the snapshot whose action it is */
  #showBusy (signal: AbortSignal, busy: Busy | null): void {
    if (signal.aborted) return
    this.#busy = busy
    this.update()
  }

  async #verify ({ id, sizeBytes, storedBytes }: Backup): Promise<void> {
    this.#verification = null
    const { signal } = this.#ofSnapshot
    const text = `Verifying… The service reads all ${format.bytes(storedBytes)} of the file. You may close this ` +
      'page: the result is kept with the snapshot.'
    await this.#do(text, async () => {
      const transfer = { done: 0, total: sizeBytes, startedAt: performance.now() }
      const show = (): void => {
        this.#showBusy(signal, { text, progress: transferProgress('Verification', transfer) })
      }
      show()
      const verification = await store.api.verify(id, {
        signal,
        onProgress ({ bytes }) {
          transfer.done = bytes
          show()
        }
      })
      if (!signal.aborted) this.#verification = verification
    })
  }

  async #download (file: SavedFile): Promise<void> {
    const { sizeBytes: total } = file
    const { signal } = this.#ofSnapshot
    const text = 'Downloading…'
    await this.#do(text, async () => {
      const startedAt = performance.now()
      await saveSnapshot(store.api, file, (done) => {
        this.#showBusy(signal, { text, progress: transferProgress('Download', { done, total, startedAt }) })
      }, signal)
    })
  }

  #confirmRemoval ({ id, pinned, startedAt, status, trigger }: Backup): void {
    openDialog(new ConfirmDialog({
      heading: status === 'failed' ? 'Delete this failed run?' : 'Delete this snapshot?',
      text: `The ${triggerNames[trigger]} snapshot of ${format.exactTime(startedAt)} is deleted with its file. ` +
        `This cannot be undone.${pinned ? ' It is pinned.' : ''}`,
      action: 'Delete',
      async run () {
        await store.api.remove(id)
        store.notify('good', 'Deleted.')
        // First, so that this page does not request what is gone
        location.hash = '#/snapshots'
        store.touch()
      }
    }))
  }
}

const isPending = ({ suspect, accepted }: Backup): boolean => suspect !== null && !accepted

const shrunkTables = (suspect: SuspectTable[]): TemplateResult =>
  list(suspect.map(({ table, rowsBefore, rows }) => html`${table === null ? 'All tables' : name(table)}:
    ${format.count(rowsBefore)} rows before, ${format.count(rows)} now`))

function confirmAcceptance ({ id, startedAt, suspect }: Backup): void {
  openDialog(new ConfirmDialog({
    heading: 'Accept this snapshot?',
    text: `In the snapshot of ${format.exactTime(startedAt)} these tables have lost rows. Older good snapshots, ` +
      'which still have the rows, may then be pruned.',
    details: shrunkTables(suspect ?? []),
    action: 'Accept',
    async run () {
      await store.api.update(id, { accepted: true })
      store.notify('good', 'Accepted.')
      store.touch()
    }
  }))
}

function failureOf ({ status, error, errorCode, restore }: Backup): TemplateResult {
  const failed = (heading: unknown, text: string | null, code: string | null): TemplateResult =>
    html`<section class="message bad"><h2>${heading}</h2><p>${text}</p><p>${remedyOf(code)}</p></section>`
  return html`
    ${status === 'failed' ? failed('The run failed', error, errorCode) : nothing}
    ${restore?.status === 'failed'
      ? failed(html`The last restore failed, into ${name(restore.schema)}`, restore.error, restore.errorCode)
      : nothing}`
}

/** Why the snapshot cannot be restored here. */
function restoreHint (): TemplateResult | typeof nothing {
  const { status } = store
  if (status === null || status.can.restore) return nothing
  return html`<p class="hint">${status.allowRestore ? 'You may not restore.' : restoresAreOff()}</p>`
}

customElements.define('snapshot-page', SnapshotPage)
