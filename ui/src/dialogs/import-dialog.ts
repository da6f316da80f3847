import { html, nothing, type TemplateResult } from 'lit-html'
import { ApiError, isAbort } from '../client/api.ts'
import { DialogView } from '../elements/dialog-view.ts'
import { store } from '../elements/view.ts'
import * as format from '../format.ts'
import { button, errorText, list } from '../parts/templates.ts'
import { snapshotHref } from '../routes.ts'

export class ImportDialog extends DialogView {
  #file: File | null = null
  #sent = 0
  #startedAt = 0
  #problems: string[] = []
  #uploading: AbortController | null = null
  #isOver = false

  override disconnectedCallback (): void {
    super.disconnectedCallback()
    this.#uploading?.abort()
  }

  heading (): string { return 'Import a snapshot' }

  body (): TemplateResult {
    return html`
      <div class="drop ${this.#isOver ? 'over' : ''}"
        @dragover=${(event: DragEvent) => { this.#drag(event, true) }}
        @dragleave=${(event: DragEvent) => { this.#drag(event, false) }}
        @drop=${(event: DragEvent) => { this.#drop(event) }}>
        <label>Snapshot file <input type="file" accept=".json,application/json" autofocus
          ?disabled=${this.#uploading !== null} @change=${(event: Event) => { this.#choose(event) }}></label>
        <p class="hint">Choose a file, or drop it here.
          ${this.#file === null ? nothing : html`<b>${this.#file.name}</b>, ${format.bytes(this.#file.size)}`}</p>
      </div>
      <p class="hint">The file is checked completely and kept under a new id. Nothing is restored.</p>
      <p class="hidden" role="status">${this.#stage()}</p>
      ${this.#uploading === null || this.#file === null ? nothing : this.#progress(this.#file)}
      ${this.#problems.length === 0 ? nothing : list(this.#problems)}`
  }

  footer (): TemplateResult {
    const disabled = this.#file === null || this.#uploading !== null
    const reason = this.#file === null && 'Choose a file first'
    return html`${button('Cancel', { onClick: () => { this.close() } })}
      ${button('Import', {
        tone: 'primary', disabled, reason, onClick: () => { void this.#import() }
      })}`
  }

  /** For screen readers, which should not hear each percent. */
  #stage (): string {
    if (this.#uploading === null || this.#file === null) return ''
    return this.#sent >= this.#file.size ? 'Checking the file…' : 'Uploading…'
  }

  #progress ({ size }: File): TemplateResult {
    const seconds = (performance.now() - this.#startedAt) / 1000
    const rate = seconds > 0.5 ? this.#sent / seconds : null
    const left = rate === null || rate === 0 ? null : (size - this.#sent) / rate * 1000
    const parts = [
      `${format.bytes(this.#sent)} of ${format.bytes(size)}`,
      ...rate === null ? [] : [`${format.bytes(rate)}/s`],
      ...left === null ? [] : [`${format.duration(left)} left`]
    ]
    return html`<progress aria-label="Upload" max=${size} value=${this.#sent}></progress>
      <p class="hint">${this.#sent >= size
        ? 'Checking the file…'
        : parts.join(' · ')}</p>
      <p class="hint">Keep this page open until the upload is complete.</p>`
  }

  #drag (event: DragEvent, isOver: boolean): void {
    event.preventDefault()
    this.#isOver = isOver
    this.update()
  }

  #drop (event: DragEvent): void {
    this.#drag(event, false)
    if (this.#uploading === null) this.#take(event.dataTransfer?.files[0])
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

  async #import (): Promise<void> {
    if (this.#file === null) return
    const uploading = new AbortController()
    this.#uploading = uploading
    this.#startedAt = performance.now()
    this.#sent = 0
    this.error = null
    this.#problems = []
    this.update()
    try {
      const { id } = await store.api.import(this.#file, (sent) => {
        this.#sent = sent
        this.update()
      }, uploading.signal)
      store.touch()
      this.close()
      location.hash = snapshotHref(id)
    } catch (error) {
      if (isAbort(error)) return
      this.error = errorText(error)
      // The message would repeat them
      this.#problems = error instanceof ApiError ? error.problems : []
      if (this.#problems.length > 0) this.error = 'The file is damaged or was changed, and nothing was kept.'
    } finally {
      this.#uploading = null
      this.update()
    }
  }
}

customElements.define('import-dialog', ImportDialog)
