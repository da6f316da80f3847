import { html, nothing, type TemplateResult } from 'lit-html'
import type { Backup, Manifest, Status, Verification } from '../../../types/index.ts'
import type { ApiError } from '../client/api.ts'
import { saveSnapshot } from '../client/save-snapshot.ts'
import { ConfirmDialog } from '../dialogs/confirm-dialog.ts'
import { NoteDialog } from '../dialogs/note-dialog.ts'
import { RestoreDialog } from '../dialogs/restore-dialog.ts'
import { openDialog } from '../elements/dialog-view.ts'
import { store, View } from '../elements/view.ts'
import * as format from '../format.ts'
import { badges } from '../parts/badges.ts'
import { facts } from '../parts/facts.ts'
import { contents } from '../parts/contents.ts'
import { button, errorText, failure, list, live, loading, name } from '../parts/templates.ts'
import { triggerNames } from '../words.ts'

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
  #busy: string | null = null
  #loaded = ''

  /** Of the backup to show. */
  set backupId (id: string) {
    this.#backupId = id
    this.#backup = this.#manifest = this.#previous = this.#verification = this.#error = this.#contentsError = null
    this.#busy = null
    this.update()
  }

  template (): TemplateResult {
    void this.#load()
    const backup = this.#error === null ? this.#backup : null
    return html`<p><a class="back" href="#/snapshots">All snapshots</a></p>
      ${backup === null ? nothing : this.#head(backup)}
      ${live('alert', this.#error === null ? this.#damage() : this.#failure(this.#error))}
      ${live('status', this.#busy === null ? this.#intactness() : html`<p class="message">${this.#busy}</p>`)}
      ${backup !== null ? this.#page(backup) : this.#error === null ? loading() : nothing}`
  }

  #failure ({ status, message }: ApiError): TemplateResult {
    return html`<div class="message bad">
        <h1>${status === 404 ? 'There is no such snapshot' : 'The snapshot cannot be shown'}</h1>
        <p>${status === 404 ? 'It may have been pruned or deleted.' : message}</p></div>`
  }

  async #load (): Promise<void> {
    const id = this.#backupId
    const wanted = `${store.revision} ${id}`
    if (wanted === this.#loaded) return
    this.#loaded = wanted
    try {
      const backup = await store.api.get(id)
      if (wanted !== this.#loaded) return
      this.#backup = backup
      this.#error = null
      this.update()
      if (backup.available && this.#manifest === null) await this.#loadContents(backup)
    } catch (error) {
      if (wanted === this.#loaded) this.#error = error as ApiError
    }
    this.update()
  }

  async #loadContents ({ id, schema, startedAt }: Backup): Promise<void> {
    const isShown = (): boolean => id === this.#backupId
    try {
      const manifest = await store.api.manifest(id)
      if (!isShown()) return
      this.#manifest = manifest
      this.#contentsError = null
      this.update()
      const { backups } = await store.api.list({ schema, until: startedAt, limit: 20 })
      const before = backups.find((other) => other.available && other.id !== id &&
        (other.trigger === 'manual' || other.trigger === 'scheduled'))
      const previous = before === undefined ? null : await store.api.manifest(before.id)
      if (isShown()) this.#previous = previous
    } catch (error) {
      if (isShown()) this.#contentsError = errorText(error)
    }
  }

  #head (backup: Backup): TemplateResult {
    return html`<h1><span class="name">${backup.schema}</span> ${format.exactTime(backup.startedAt)}</h1>
      <div class="title-row">${badges(backup)}${this.#actions(backup)}</div>
      ${backup.available && store.status?.can.restore === false ? restoreHint(store.status) : nothing}`
  }

  #page (backup: Backup): TemplateResult {
    return html`${failureOf(backup)}${this.#suspicion(backup)}
      <section class="card"><h2>About</h2>${facts(backup)}</section>
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
          ${button('Restore…', {
            tone: 'primary', onClick: () => { openDialog(new RestoreDialog(backup)) }
          })}
          ${button('Download', { disabled: isBusy, onClick: () => { void this.#download(backup) } })}
          ${button('Verify', { disabled: isBusy, onClick: () => { void this.#verify(id) } })}
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

  #suspicion ({ id, suspect, accepted, held }: Backup): TemplateResult | typeof nothing {
    if (suspect === null) {
      return held
        ? html`<p class="message">This snapshot is held: it is not pruned until a later one is good or accepted.</p>`
        : nothing
    }
    return html`<section class="message warn">
      <h2>Much smaller than the ones before${accepted ? ', and accepted' : ''}</h2>
      ${list(suspect.map(({ table, rowsBefore, rows }) => html`${table === null ? 'All tables' : name(table)}:
        ${format.count(rowsBefore)} rows before, ${format.count(rows)} now`))}
      ${accepted
        ? nothing
        : html`<p>The good snapshots before it are not pruned. If the rows were deleted on purpose, accept it: later
            ones are then compared with it.</p>
          ${button('Accept', {
            disabled: store.status?.can.remove !== true,
            reason: store.status?.can.remove === false && 'You may not accept snapshots',
            onClick: () => { void this.#do('Accepting…', () => store.api.update(id, { accepted: true })) }
          })}`}
    </section>`
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
  async #do (busy: string, act: () => Promise<unknown>): Promise<void> {
    const id = this.#backupId
    this.#showBusy(id, busy)
    try {
      await act()
    } catch (error) {
      store.notify('bad', errorText(error))
    }
    this.#showBusy(id, null)
    store.touch()
  }

  #showBusy (id: string, busy: string | null): void {
    if (id === this.#backupId) this.#busy = busy
    this.update()
  }

  async #verify (id: string): Promise<void> {
    this.#verification = null
    await this.#do('Reading the whole file…', async () => {
      const verification = await store.api.verify(id)
      if (id === this.#backupId) this.#verification = verification
    })
  }

  async #download (backup: Backup): Promise<void> {
    await this.#do('Downloading…', () => saveSnapshot(store.api, backup, (share) => {
      this.#showBusy(backup.id, `Downloading… ${format.percent(share)}`)
    }))
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

const restoreHint = ({ allowRestore }: Status): TemplateResult => html`<p class="hint">${allowRestore
  ? 'You may not restore. “Restore…” shows the plan.'
  : html`Restores are off. The option <code>allowRestore: true</code> of the plugin switches them on.`}</p>`

function failureOf ({ status, error, restore }: Backup): TemplateResult {
  const failed = (heading: string, text: string | null): TemplateResult =>
    html`<section class="message bad"><h2>${heading}</h2><p>${text}</p></section>`
  return html`
    ${status === 'failed' ? failed('The run failed', error) : nothing}
    ${restore?.status === 'failed' ? failed('The last restore failed', restore.error) : nothing}`
}

customElements.define('snapshot-page', SnapshotPage)
