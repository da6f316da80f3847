import type { Backup, Progress, RestoreResult, Status } from '../../../types/index.ts'
import { Api, ApiError } from './api.ts'
import { followEvents } from './follow-events.ts'

/** What the page does with a run. `restore` is of the snapshot with that id. */
export type RunKind = 'backup' | 'restore'

export interface Run {
  id: string
  kind: RunKind
  /** Of a restore, the one whose rows it replaces. */
  schema: string
  trigger: string
  startedAt: string
  progress: Progress | null
  /** Bytes a second of the current phase, from the last two reports; null when it is not known. */
  rate: number | null
  /** When `progress` arrived, for the rate. */
  at: number
}

/** One snapshot may be restored into several schemas at the same time. */
const keyOf = (kind: RunKind, id: string, schema: string): string =>
  kind === 'restore' ? `${kind} ${id} ${schema}` : `${kind} ${id}`

/** The end of a run, kept for the dialog or the panel that shows it. */
export type Outcome =
  { kind: 'completed', result: RestoreResult | null, preRestoreId: string | null } |
  { kind: 'failed', message: string, code: string, preRestoreId: string | null }

export interface Notice { id: number, tone: 'good' | 'bad', text: string }

export type Access = 'unknown' | 'granted' | 'needed' | 'refused'

const pollMs = 2000
const idlePollMs = 30_000
const noticeMs = 8000
const touchMs = 1000

/** The state that several parts of the page share. Dispatches `change` after each change. */
export class Store extends EventTarget {
  readonly api = new Api()
  access: Access = 'unknown'
  /** Why the token was refused. */
  accessError: string | null = null
  status: Status | null = null
  statusError: ApiError | null = null
  readonly runs = new Map<string, Run>()
  readonly outcomes = new Map<string, Outcome>()
  notices: Notice[] = []
  /** Changes when the list of backups may have changed. */
  revision = 0
  isConnected = false
  #polling: ReturnType<typeof setTimeout> | undefined
  #following: AbortController | null = null
  #notice = 0
  #touching: ReturnType<typeof setTimeout> | undefined
  #touchedAt = -touchMs
  #refreshing: Promise<void> | undefined
  /** The last status was refused. */
  #isRefused = false
  /** The status was asked for again while it was requested. */
  #isStale = false
  /** The runs that ended while the status was requested, which may still contain them. */
  readonly #endedMeanwhile = new Set<string>()

  constructor () {
    super()
    // One call may be refused by mistake, or for itself: the status shows whether the reader still has access
    this.api.onRefused = () => { if (this.access === 'granted') void this.refresh() }
  }

  #follow (): void {
    if (this.#following !== null) return
    this.#following = new AbortController()
    void followEvents(this.api, {
      onEvent: (name, data) => { this.#onEvent(name, data) },
      onConnection: (isConnected) => {
        this.isConnected = isConnected
        if (this.access === 'granted') void this.refresh()
      }
    }, this.#following.signal)
  }

  signIn (token: string): Promise<void> {
    this.api.token = token
    this.access = 'unknown'
    this.accessError = null
    this.statusError = null
    this.#changed()
    return this.refresh()
  }

  signOut (reason: string | null): void {
    this.#following?.abort()
    this.#following = null
    clearTimeout(this.#polling)
    clearTimeout(this.#touching)
    this.#touching = undefined
    this.api.token = null
    this.access = 'needed'
    this.accessError = reason
    this.status = null
    this.runs.clear()
    this.outcomes.clear()
    this.notices = []
    this.#changed()
  }

  /**
   * Requests the status, and follows the events once that is allowed. A call during a request leads to another request,
   * so that no answer is older than the call.
   */
  refresh (): Promise<void> {
    if (this.#refreshing === undefined) {
      this.#refreshing = this.#requestStatus().finally(() => { this.#refreshing = undefined })
    } else {
      this.#isStale = true
    }
    return this.#refreshing
  }

  async #requestStatus (): Promise<void> {
    clearTimeout(this.#polling)
    do {
      this.#isStale = false
      await this.#readStatus()
    } while (this.#isStale)
    clearTimeout(this.#polling)
    if (this.access === 'needed') return
    const isSoon = this.#isRefused || (this.runs.size > 0 && !this.isConnected)
    const pollAfterMs = isSoon ? pollMs : idlePollMs
    this.#polling = setTimeout(() => { void this.refresh() }, pollAfterMs)
  }

  async #readStatus (): Promise<void> {
    this.#endedMeanwhile.clear()
    const { token } = this.api
    try {
      const status = await this.api.status()
      if (this.api.token !== token) return
      this.status = status
      this.access = 'granted'
      this.#isRefused = false
      this.statusError = null
      this.#follow()
      this.#takeRuns(status.running)
    } catch (error) {
      if (this.api.token !== token) return
      this.statusError = error instanceof ApiError ? error : new ApiError(0, { message: String(error) })
      this.#takeRefusal(this.statusError.status)
    }
    this.#changed()
  }

  /** A reader who has access loses it when the status is refused twice: a proxy may refuse a single call by mistake. */
  #takeRefusal (status: number): void {
    if (status !== 401 && status !== 403) return
    const isFirst = this.access === 'granted' && !this.#isRefused
    this.#isRefused = isFirst
    if (isFirst) return
    if (status === 403) this.access = 'refused'
    else this.signOut(this.api.token === null ? null : 'The token was refused.')
  }

  notify (tone: Notice['tone'], text: string): void {
    const notice = { id: ++this.#notice, tone, text }
    this.notices = [...this.notices.filter((other) => other.text !== text), notice].slice(-4)
    // An error stays until it is closed
    if (tone === 'good') setTimeout(() => { this.dismiss(notice.id) }, noticeMs)
    this.#changed()
  }

  dismiss (id: number): void {
    this.notices = this.notices.filter((notice) => notice.id !== id)
    this.#changed()
  }

  /** After something has changed. At most once a second, because a schedule may begin many runs at the same time. */
  touch (): void {
    if (this.#touching !== undefined) return
    const sinceLast = performance.now() - this.#touchedAt
    this.#touching = setTimeout(() => {
      this.#touching = undefined
      this.#touchedAt = performance.now()
      this.revision += 1
      void this.refresh()
    }, Math.max(0, touchMs - sinceLast))
  }

  /** Before this page begins a restore: forgets how an earlier one of the same snapshot has ended. */
  forgetOutcome (kind: RunKind, id: string, schema: string): void {
    this.outcomes.delete(keyOf(kind, id, schema))
  }

  /** A run that this page has begun, before the status has it. A short one may have ended before the answer arrived. */
  begin (backup: Backup, kind: RunKind, schema = backup.schema): void {
    if (!this.outcomes.has(keyOf(kind, backup.id, schema))) this.#addRun(kind, backup, schema)
    this.touch()
  }

  /** A restore whose result was the answer. */
  finishRestore (result: RestoreResult): void {
    const { id, schema, preRestoreId } = result
    this.#finish('restore', id, schema, { kind: 'completed', result, preRestoreId })
    this.#changed()
  }

  runOf (kind: RunKind, id: string, schema: string): Run | undefined {
    return this.runs.get(keyOf(kind, id, schema))
  }

  outcomeOf (kind: RunKind, id: string, schema: string): Outcome | undefined {
    return this.outcomes.get(keyOf(kind, id, schema))
  }

  #addRun (kind: RunKind, backup: Backup, schema: string): void {
    const { id, trigger, startedAt, restores } = backup
    const key = keyOf(kind, id, schema)
    const restore = restores.find((other) => other.schema === schema)
    const progress = kind === 'restore' ? restore?.progress : backup.progress
    if (!this.runs.has(key)) {
      const since = kind === 'restore' ? restore?.startedAt ?? new Date().toISOString() : startedAt
      this.outcomes.delete(key)
      this.runs.set(key, { id, kind, schema, trigger, startedAt: since, progress: null, rate: null, at: 0 })
    }
    if (progress !== undefined) this.#takeProgress(key, progress)
  }

  #takeRuns (running: Backup[]): void {
    const present = new Set<string>()
    for (const backup of running) {
      const kind = backup.status === 'running' ? 'backup' : 'restore'
      // The snapshot before a restore is a part of it
      if (backup.trigger === 'pre_restore' && kind === 'backup') continue
      const restoring = backup.restores.filter(({ status }) => status === 'running')
      for (const { schema } of kind === 'backup' ? [backup] : restoring) {
        const key = keyOf(kind, backup.id, schema)
        present.add(key)
        if (!this.#endedMeanwhile.has(key)) this.#addRun(kind, backup, schema)
      }
    }
    for (const [key, run] of this.runs) if (!present.has(key)) void this.#ended(run)
  }

  /** A run that the status does not contain: its event was missed, or it began after the status was read. */
  async #ended ({ kind, id, schema }: Run): Promise<void> {
    const key = keyOf(kind, id, schema)
    const backup = await this.api.get(id).catch((error: ApiError) => error)
    if (!this.runs.has(key) || this.outcomes.has(key)) return
    if (backup instanceof ApiError) {
      // Without an answer, the next status leads here again
      if (backup.status === 404) this.runs.delete(key)
      this.#changed()
      return
    }
    const restore = backup.restores.find((other) => other.schema === schema)
    const ended = kind === 'restore' ? restore : backup
    if (ended?.status === 'running') return
    if (ended === undefined) {
      // How a restore into a schema that the reader may not see has ended is not shown
      this.runs.delete(key)
      this.#changed()
      return
    }
    const preRestoreId = restore?.preRestoreId ?? null
    this.#finish(kind, id, schema, ended.status === 'failed'
      ? { kind: 'failed', message: ended.error ?? '', code: ended.errorCode ?? '', preRestoreId }
      : { kind: 'completed', result: null, preRestoreId })
  }

  #takeProgress (key: string, progress: Progress): void {
    const run = this.runs.get(key)
    if (run === undefined) return
    const now = performance.now()
    const before = run.progress
    const isSamePhase = before !== null && before.phase === progress.phase && progress.bytes >= before.bytes
    if (isSamePhase && now - run.at > 200 && progress.bytes > before.bytes) {
      const rate = (progress.bytes - before.bytes) / (now - run.at) * 1000
      run.rate = run.rate === null ? rate : run.rate * 0.6 + rate * 0.4
    } else if (!isSamePhase) {
      run.rate = null
    }
    run.progress = progress
    run.at = now
  }

  #onEvent (name: string, data: any): void {
    const kind: RunKind = name.startsWith('restore:') ? 'restore' : 'backup'
    switch (name.slice(name.indexOf(':') + 1)) {
      case 'progress': this.#takeProgress(keyOf(kind, data.id, data.schema), data.progress); break
      case 'started':
        if (kind === 'backup') this.#addRun(kind, data, data.schema)
        this.touch()
        break
      case 'completed':
        this.#finish(kind, data.id, data.schema, {
          kind: 'completed', result: kind === 'restore' ? data : null, preRestoreId: data.preRestoreId ?? null
        })
        break
      case 'failed':
        this.#finish(kind, data.id, data.schema, {
          kind: 'failed', message: data.error.message, code: data.error.code ?? '', preRestoreId: null
        })
        break
      default: this.touch()
    }
    this.#changed()
  }

  #finish (kind: RunKind, id: string, schema: string, outcome: Outcome): void {
    const key = keyOf(kind, id, schema)
    this.runs.delete(key)
    this.#endedMeanwhile.add(key)
    const known = this.outcomes.get(key)
    // Of the end that the status has shown, the event has the details
    const hasDetails = outcome.kind === 'completed' ? outcome.result !== null : outcome.code !== ''
    if (known === undefined || hasDetails) this.outcomes.set(key, outcome)
    if (known !== undefined) return
    const what = kind === 'restore' ? 'Restore' : 'Snapshot'
    if (outcome.kind === 'failed') this.notify('bad', `${what} of “${schema}” failed: ${outcome.message}`)
    else this.notify('good', `${what} of “${schema}” completed.`)
    this.touch()
  }

  #changed (): void {
    this.dispatchEvent(new Event('change'))
  }
}
