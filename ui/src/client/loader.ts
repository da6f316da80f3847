export interface Wanted<T> {
  /** What is shown. When it changes, the content of before is dropped. */
  subject: string
  /** When it changes, the content is loaded again, and shown until the new one has arrived. */
  version: string
  load: (signal: AbortSignal) => Promise<T>
}

/** The content of a view: loaded again when what is wanted changes, and kept when that fails. */
export class Loader<T> {
  content: T | null = null
  /** Why the last attempt failed; null after one that succeeded. */
  error: unknown = null
  readonly #onChange: () => void
  #subject = ''
  #key = ''
  #loading = new AbortController()

  /** @param onChange called when content or error have changed */
  constructor (onChange: () => void) {
    this.#onChange = onChange
  }

  want ({ subject, version, load }: Wanted<T>): void {
    const key = JSON.stringify([subject, version])
    if (key === this.#key) return
    if (subject !== this.#subject) this.content = this.error = null
    this.stop()
    this.#key = key
    this.#subject = subject
    const loading = this.#loading = new AbortController()
    load(loading.signal).then((content) => { this.#take(loading, content, null) },
      (error: unknown) => { this.#take(loading, this.content, error) })
  }

  #take (loading: AbortController, content: T | null, error: unknown): void {
    if (loading.signal.aborted) return
    this.content = content
    this.error = error
    this.#onChange()
  }

  /** Loads again what was wanted last. */
  retry (): void {
    this.#key = ''
    this.#onChange()
  }

  /** Aborts what is being loaded. */
  stop (): void {
    this.#loading.abort()
    this.#key = ''
  }
}
