import type { Backup, Status } from '../../../types/index.ts'

/** More than 100,000 schemas are not listed. */
const maxPages = 100
/** The status of many schemas is not read more often, because each page costs as much as the first one. */
const keepMs = 30_000

/** The newest backups of all schemas. One answer of the status has those of at most 1000. */
export class SchemaPages {
  readonly #readPage: (after: string) => Promise<Status>
  #rest: { after: string, newest: Backup[], at: number } | null = null

  /** @param readPage requests the page of the status after a schema */
  constructor (readPage: (after: string) => Promise<Status>) {
    this.#readPage = readPage
  }

  /** Those of the status and of the pages after it. */
  async complete ({ newest, newestNext }: Status): Promise<Backup[]> {
    if (newestNext === null) return newest
    const { at, after } = this.#rest ?? { at: 0, after: '' }
    if (after !== newestNext || performance.now() - at > keepMs) {
      this.#rest = { after: newestNext, newest: await this.#readFrom(newestNext), at: performance.now() }
    }
    return [...newest, ...this.#rest?.newest ?? []]
  }

  async #readFrom (first: string): Promise<Backup[]> {
    const backups: Backup[] = []
    for (let page = 1, after: string | null = first; after !== null && page < maxPages; page++) {
      const status: Status = await this.#readPage(after)
      backups.push(...status.newest)
      after = status.newestNext
    }
    return backups
  }

  forget (): void {
    this.#rest = null
  }
}
