import type { Backup, Drift, Progress, RestorePlan } from '../../../types/index.ts'
import type { PlanBody } from '../client/api.ts'
import { store } from '../elements/view.ts'

/** A restore whose rows were counted earlier than this is counted again before it begins. */
const freshMs = 120_000

/** Which tables of a snapshot are restored into which schema, and what that would change now. */
export class PlanChoice {
  schema: string
  plan: RestorePlan | null = null
  /** By Date.now(). */
  countedAt = 0
  isCounting = false
  /** Of the counting, once the service has told. */
  progress: Progress | null = null
  /** Whether tables were left out of the snapshot by the call that took it. */
  isPartial = false
  /** Every table of the snapshot that can be chosen; the plan has only the chosen ones. */
  allTables: string[] = []
  chosen = new Set<string>()
  readonly #id: string
  #inSnapshot = new Set<string>()
  #planning = new AbortController()

  constructor ({ id, schema }: Backup) {
    this.#id = id
    this.schema = schema
  }

  /** The body of a call. */
  get body (): PlanBody {
    const isAll = this.chosen.size === this.allTables.length
    return { schema: this.schema, ...!isAll && { tables: [...this.chosen] } }
  }

  get isOld (): boolean {
    return Date.now() - this.countedAt > freshMs
  }

  /** Whether a difference is about a table of the snapshot, and not about the schema, such as a missing privilege. */
  readonly isOfTable = ({ table }: Drift): boolean => this.#inSnapshot.has(table)

  /** Whether all that differs can be skipped. */
  get isSkippable (): boolean {
    return this.plan?.drift.every(this.isOfTable) ?? false
  }

  /**
   * Counts the rows. Resolves with whether the plan is another one than before, and rejects with an AbortError when the
   * rows are counted again meanwhile.
   */
  async count (onProgress: () => void): Promise<boolean> {
    this.cancel()
    this.#planning = new AbortController()
    const { signal } = this.#planning
    const before = this.plan
    this.isCounting = true
    this.progress = null
    try {
      const body = this.chosen.size === 0 ? { schema: this.schema } : this.body
      const plan = await store.api.plan(this.#id, body, {
        signal,
        onProgress: (progress) => {
          this.progress = progress
          onProgress()
        }
      })
      if (this.allTables.length === 0) await this.#listTables(plan)
      signal.throwIfAborted()
      this.plan = plan
      this.countedAt = Date.now()
      return JSON.stringify(plan) !== JSON.stringify(before)
    } catch (error) {
      if (!signal.aborted) this.plan = null
      throw error
    } finally {
      if (!signal.aborted) this.isCounting = false
    }
  }

  cancel (): void {
    this.#planning.abort()
  }

  /** @param table null for all of them */
  toggle (table: string | null): void {
    if (table === null) this.chosen = new Set(this.chosen.size === this.allTables.length ? [] : this.allTables)
    else if (!this.chosen.delete(table)) this.chosen.add(table)
  }

  async #listTables (plan: RestorePlan): Promise<void> {
    const { tables, partial = false } = await store.api.manifest(this.#id)
    this.isPartial = partial
    this.#inSnapshot = new Set(tables.map(({ name }) => name))
    const drifted = plan.drift.map(({ table }) => table).filter((table) => this.#inSnapshot.has(table))
    this.allTables = [...new Set([...plan.tables.map(({ name }) => name), ...drifted])]
    this.chosen = new Set(this.allTables)
  }
}
