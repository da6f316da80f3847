import type { Status } from '../../../types/index.ts'

/** More than 100,000 schemas are not listed. */
const maxPages = 100
/** The status of many schemas is not read more often, because each page costs as much as the first one. */
const keepMs = 30_000

/** What the status says of each schema. */
export type NewestOfSchemas = Pick<Status, 'newest' | 'newestGood'>

/** The newest backups of all schemas. One answer of the status has those of at most 1000. */
export class SchemaPages {
  readonly #readPage: (after: string) => Promise<Status>
  #rest: { after: string, at: number, of: NewestOfSchemas } | null = null

  /** @param readPage requests the page of the status after a schema */
  constructor (readPage: (after: string) => Promise<Status>) {
    this.#readPage = readPage
  }

  /** Those of the status and of the pages after it. */
  async complete ({ newest, newestGood, newestNext }: Status): Promise<NewestOfSchemas> {
    if (newestNext === null) return { newest, newestGood }
    const { at, after } = this.#rest ?? { at: 0, after: '' }
    if (after !== newestNext || performance.now() - at > keepMs) {
      this.#rest = { after: newestNext, of: await this.#readFrom(newestNext), at: performance.now() }
    }
    const rest = this.#rest?.of
    return {
      newest: [...newest, ...rest?.newest ?? []],
      newestGood: [...newestGood, ...rest?.newestGood ?? []]
    }
  }

  async #readFrom (first: string): Promise<NewestOfSchemas> {
    const all: NewestOfSchemas = { newest: [], newestGood: [] }
    for (let page = 1, after: string | null = first; after !== null && page < maxPages; page++) {
      const { newest, newestGood, newestNext }: Status = await this.#readPage(after)
      all.newest.push(...newest)
      all.newestGood.push(...newestGood)
      after = newestNext
    }
    return all
  }

  forget (): void {
    this.#rest = null
  }
}
