import { html, nothing, type TemplateResult } from 'lit-html'
import type { Backup } from '../../../types/index.ts'
import { ApiError, isAbort } from '../client/api.ts'
import { DialogView } from '../elements/dialog-view.ts'
import { store } from '../elements/view.ts'
import * as format from '../format.ts'
import { isUnanswered, remedyOf } from '../parts/failures.ts'
import { button, list, name } from '../parts/templates.ts'
import { transferProgress } from '../parts/run-progress.ts'
import type { Transfer } from '../parts/transfer.ts'
import { snapshotHref } from '../routes.ts'

/** An upload, from its beginning until it is known what has become of it. */
interface Upload {
  file: File
  transfer: Transfer
  abort: AbortController
  /** The newest imports before it. */
  former: Set<string>
  /** After the last byte was sent, only the answer tells whether the service keeps the file. */
  isSent: boolean
  isCancelled: boolean
}

export class ImportDialog extends DialogView {
  #file: File | null = null
  #upload: Upload | null = null
  /** The answer was lost after the whole file was sent. */
  #lost: Upload | null = null
  /** The service has kept it, although the reader has cancelled, or the answer was lost. */
  #kept: Backup | null = null
  #problems: string[] = []
  #isOver = false

  override get step (): string {
    return this.#kept === null ? 'file' : 'kept'
  }

  override disconnectedCallback (): void {
    super.disconnectedCallback()
    if (this.#upload === null) return
    const { file, isSent, abort } = this.#upload
    if (isSent) {
      store.notify('good', `The service is still checking “${file.name}”. If the file is intact, it is kept.`)
      return
    }
    abort.abort()
    store.notify('good', `The import of “${file.name}” was cancelled. Nothing was kept.`)
  }

  heading (): string { return 'Import a snapshot' }

  body (): TemplateResult {
    if (this.#kept !== null) return this.#keptBody(this.#kept)
    return html`
      <div class="drop ${this.#isOver ? 'over' : ''}"
        @dragover=${(event: DragEvent) => { this.#drag(event, true) }}
        @dragleave=${(event: DragEvent) => { this.#drag(event, false) }}
        @drop=${(event: DragEvent) => { this.#drop(event) }}>
        <label>Snapshot file <input type="file" accept=".json,.json.gz,.json.zst,.gz,.zst,application/json" autofocus
          ?disabled=${this.#isOccupied} @change=${(event: Event) => { this.#choose(event) }}></label>
        <p class="hint">Choose a file, or drop it here.
          ${this.#file === null ? nothing : html`<b>${this.#file.name}</b>, ${format.bytes(this.#file.size)}`}</p>
      </div>
      <p class="hint">The file is checked completely and kept under a new id. Nothing is restored.</p>
      <p class="hidden" role="status">${this.#stage()}</p>
      ${this.#upload === null ? nothing : uploadProgress(this.#upload)}
      ${this.#problems.length === 0 ? nothing : list(this.#problems)}`
  }

  footer (): TemplateResult {
    const close = (): void => { this.close() }
    if (this.#kept !== null) return this.#keptFooter(this.#kept)
    if (this.#lost !== null) {
      const lost = this.#lost
      return html`${button('Close', { onClick: close })}
        ${button('Look again', {
          tone: 'primary', disabled: this.isBusy, onClick: () => { void this.#reconcile(lost) }
        })}`
    }
    if (this.#upload?.isSent === true) {
      const { isCancelled } = this.#upload
      return html`${button('Cancel the import', { disabled: isCancelled, onClick: () => { this.#cancelSent() } })}
        ${button('Close', { onClick: close })}`
    }
    const disabled = this.#file === null || this.#isOccupied
    const reason = this.#file === null && 'Choose a file first'
    return html`${button('Cancel', { onClick: close })}
      ${button('Import', { tone: 'primary', disabled, reason, onClick: () => { void this.#import() } })}`
  }

  /** For screen readers, which should not hear each percent. */
  #stage (): string {
    if (this.#upload === null) return ''
    return this.#upload.isSent ? 'Checking the file…' : 'Uploading…'
  }

  get #isOccupied (): boolean {
    return this.isBusy || this.#upload !== null || this.#lost !== null
  }

  #keptBody ({ schema, startedAt, rowCount, createdBy }: Backup): TemplateResult {
    return html`<div class="message warn"><h3 class="step-heading">The service has kept the file</h3>
      <p>The whole file had been sent, and it is intact: ${format.plural(rowCount ?? 0, 'row')} of the schema
        ${name(schema)}, imported at ${format.exactTime(startedAt)}${createdBy === null ? '' : ` by ${createdBy}`}.
        Keep the snapshot, or delete it.</p></div>`
  }

  #keptFooter ({ id }: Backup): TemplateResult {
    const remove = async (): Promise<void> => {
      await store.api.remove(id)
      store.notify('good', 'The imported snapshot was deleted.')
      store.touch()
    }
    return html`${button('Delete it', {
        tone: 'danger',
        disabled: this.isBusy || store.status?.can.remove !== true,
        reason: store.status?.can.remove === false && 'You may not delete snapshots',
        onClick: () => { void this.perform(remove, 'It may be deleted. Look at the list of snapshots.') }
      })}
      ${button('Keep it', { tone: 'primary', disabled: this.isBusy, onClick: () => { this.#show(id) } })}`
  }

  #drag (event: DragEvent, isOver: boolean): void {
    event.preventDefault()
    this.#isOver = isOver
    this.update()
  }

  #drop (event: DragEvent): void {
    this.#drag(event, false)
    if (!this.#isOccupied && this.#kept === null) this.#take(event.dataTransfer?.files[0])
  }

  #choose ({ target }: Event): void {
    if (target instanceof HTMLInputElement) this.#take(target.files?.[0])
  }

  #take (file: File | undefined): void {
    this.#file = file ?? null
    this.error = null
    this.#problems = []
    this.update()
  }

  #show (id: string): void {
    this.close()
    location.hash = snapshotHref(id)
  }

  #cancelSent (): void {
    if (this.#upload !== null) this.#upload.isCancelled = true
    this.update()
  }

  async #import (): Promise<void> {
    if (this.#file === null) return
    this.isBusy = true
    this.#take(this.#file)
    const file = this.#file
    let former: Backup[]
    try {
      ({ backups: former } = await newestImports())
    } catch (error) {
      this.fail(error, 'Nothing was sent. Try again.')
      return
    }
    this.isBusy = false
    if (!this.isConnected) return
    await this.#send({
      file,
      transfer: { done: 0, total: file.size, startedAt: performance.now() },
      abort: new AbortController(),
      former: new Set(former.map(({ id }) => id)),
      isSent: false,
      isCancelled: false
    })
  }

  async #send (upload: Upload): Promise<void> {
    this.#upload = upload
    this.update()
    try {
      const backup = await store.api.import(upload.file, (sent) => {
        upload.transfer.done = sent
        upload.isSent = sent >= upload.file.size
        this.update()
      }, upload.abort.signal)
      this.#upload = null
      store.touch()
      if (!this.isConnected) return
      if (upload.isCancelled) this.#keep(backup)
      else this.#show(backup.id)
    } catch (error) {
      this.#upload = null
      if (!isAbort(error)) await this.#failed(upload, error)
    }
  }

  async #failed (upload: Upload, error: unknown): Promise<void> {
    if (!this.isConnected) {
      store.notify('bad', `The import of “${upload.file.name}” failed, or its result is not known. Look at the list.`)
    } else if (isUnanswered(error) && upload.isSent) {
      await this.#reconcile(upload)
    } else {
      this.fail(error, 'The file was not sent completely, so nothing was kept. Import it again.')
      // The message would repeat them
      this.#problems = error instanceof ApiError ? error.problems : []
      if (this.#problems.length > 0) this.error = 'The file is damaged or was changed, and nothing was kept.'
      this.update()
    }
  }

  /** Looks for the backup of an upload without an answer. */
  async #reconcile (upload: Upload): Promise<void> {
    this.#lost = upload
    this.isBusy = true
    this.error = null
    this.update()
    try {
      const { backups } = await newestImports()
      this.isBusy = false
      this.#found(backups.find(({ id, status, storedBytes }) => !upload.former.has(id) &&
        (status !== 'completed' || storedBytes === upload.file.size)))
    } catch (error) {
      this.fail(error, 'The whole file was sent, and it is not known whether the service has kept it. Look again.')
    }
  }

  #found (backup: Backup | undefined): void {
    if (backup?.status === 'completed') return this.#keep(backup)
    this.error = backup === undefined
      ? 'The connection was lost after the whole file was sent. The list has no new import yet, but the service may ' +
        'still be checking the file. Look again in a moment, before you import it again.'
      : backup.status === 'failed'
        ? `The import failed: ${backup.error ?? ''}. ${remedyOf(backup.errorCode)}`
        : 'The connection was lost, and the service is saving the file. Look again in a moment.'
    if (backup?.status === 'failed') this.#lost = null
    this.update()
  }

  #keep (backup: Backup): void {
    this.#kept = backup
    this.#lost = this.error = null
    store.touch()
    this.update()
  }
}

const newestImports = async (): Promise<{ backups: Backup[] }> => await store.api.list({ trigger: 'import', limit: 20 })

function uploadProgress ({ transfer, file, isSent, isCancelled }: Upload): TemplateResult {
  if (!isSent) {
    return html`${transferProgress('Upload', transfer)}
      <p class="hint">Keep this page open until the upload is complete.</p>`
  }
  return html`<progress aria-label="Check"></progress>
    <p class="hint">${isCancelled
      ? 'The whole file was sent, so the service checks it to the end. Then you can choose whether to delete it.'
      : 'The file was sent, and the service is checking it. You may close this page: the service continues.'}</p>`
}

customElements.define('import-dialog', ImportDialog)
