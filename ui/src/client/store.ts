import type { Backup, Progress, RestoreResult, Status } from '../../../types/index.ts'
import { Api, ApiError } from './api.ts'
import { followEvents } from './follow-events.ts'
import { oneAtATime, throttle } from './pace.ts'
import { SchemaPages } from './schema-pages.ts'

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

/** The end of a run, kept for the dialog or the panel that shows it. `at` is ISO 8601. */
export type Outcome =
  { kind: 'completed', result: RestoreResult | null, preRestoreId: string | null, at: string } |
  { kind: 'failed', message: string, code: string, preRestoreId: string | null }

export interface Notice {
  id: number
  tone: 'good' | 'bad'
  text: string
  /** The snapshot that it links to. */
  backupId: string | null
}

export type Access = 'unknown' | 'granted' | 'needed' | 'refused'

/** While a run is shown whose events do not arrive. Twice as long after each failure. */
const pollMs = 2000
/** Otherwise, and at most. */
const idlePollMs = 30_000
const noticeMs = 8000
/** The list changes often when a schedule begins many runs at the same time. */
const reloadMs = 1000

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
  /** From a sign-in to the next sign-out. Its signal ends what belongs to it. */
  #session = new AbortController()
  #polling: ReturnType<typeof setTimeout> | undefined
  /** Answers of the status in a row that were errors. */
  #failures = 0
  #notice = 0
  /** The last status was refused. */
  #isRefused = false
  /** When each run ended. A status that was requested earlier may still contain it. */
  readonly #endedAt = new Map<string, number>()
  readonly #schemas = new SchemaPages(this.api.statusAfter)
  readonly #reload = throttle(() => {
    this.revision += 1
    void this.refresh()
  }, reloadMs)

  constructor () {
    super()
    // One call may be refused by mistake, or for itself: the status shows whether the reader still has access
    this.api.onRefused = () => { if (this.access === 'granted') void this.refresh() }
    document.addEventListener('visibilitychange', () => {
      clearTimeout(this.#polling)
      // What has happened meanwhile may have been missed
      if (!document.hidden && this.access !== 'needed') this.touch()
    })
  }

  #follow (): void {
    const { signal } = this.#session
    void followEvents((lastId, attempt) => this.api.events(lastId, attempt), {
      onEvent: (name, data) => { if (!signal.aborted) this.#onEvent(name, data) },
      onConnection: (isConnected) => {
        this.isConnected = isConnected
        if (isConnected) this.touch()
        else void this.refresh()
      }
    }, signal)
  }

  signIn (token: string): Promise<void> {
    this.#endSession()
    this.api.token = token
    this.access = 'unknown'
    this.accessError = null
    this.#changed()
    return this.refresh()
  }

  signOut (reason: string | null): void {
    this.#endSession()
    this.access = 'needed'
    this.accessError = reason
    this.#changed()
  }

  /** Forgets all data. */
  #endSession (): void {
    this.#session.abort()
    this.#session = new AbortController()
    clearTimeout(this.#polling)
    this.#reload.cancel()
    this.#schemas.forget()
    this.api.token = null
    this.status = this.statusError = null
    this.isConnected = this.#isRefused = false
    this.#failures = 0
    this.runs.clear()
    this.outcomes.clear()
    this.#endedAt.clear()
    this.notices = []
  }

  /** Requests the status, and follows the events once that is allowed. No answer is older than the call. */
  readonly refresh = oneAtATime(async () => {
    clearTimeout(this.#polling)
    await this.#readStatus(this.#session.signal)
    clearTimeout(this.#polling)
    // A hidden page does not poll: it reloads when it is shown again
    if (this.access === 'needed' || document.hidden) return
    this.#polling = setTimeout(() => { this.#poll() }, this.#pollAfterMs())
  })

  #pollAfterMs (): number {
    const isSoon = this.#isRefused || (this.runs.size > 0 && !this.isConnected)
    const ms = isSoon ? Math.min(pollMs * 2 ** this.#failures, idlePollMs) : idlePollMs
    return ms * (1 - Math.random() / 4)
  }

  #poll (): void {
    // Without events, nothing else says that the list has changed
    if (!this.isConnected && this.runs.size === 0) this.touch()
    else void this.refresh()
  }

  async #readStatus (session: AbortSignal): Promise<void> {
    const requestedAt = performance.now()
    try {
      const status = await this.api.status()
      const ofSchemas = await this.#schemas.complete(status)
      if (session.aborted) return
      this.status = { ...status, ...ofSchemas }
      this.#isRefused = false
      this.statusError = null
      this.#failures = 0
      const isFirst = this.access !== 'granted'
      this.access = 'granted'
      if (isFirst) this.#follow()
      this.#takeRuns(status.running, requestedAt)
    } catch (error) {
      if (session.aborted) return
      this.#failures += 1
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

  notify (tone: Notice['tone'], text: string, backupId: string | null = null): void {
    // Of what ends after the reader has signed out, nothing is shown
    if (this.access === 'needed') return
    const notice = { id: ++this.#notice, tone, text, backupId }
    this.notices = [...this.notices.filter((other) => other.text !== text), notice].slice(-4)
    // An error stays until it is closed
    if (tone === 'good') setTimeout(() => { this.dismiss(notice.id) }, noticeMs)
    this.#changed()
  }

  dismiss (id: number): void {
    this.notices = this.notices.filter((notice) => notice.id !== id)
    this.#changed()
  }

  /** After something has changed: lists and status are loaded again. */
  touch (): void {
    if (this.access !== 'needed') this.#reload.call()
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
    this.#finish('restore', id, schema, { kind: 'completed', result, preRestoreId, at: new Date().toISOString() })
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

  #takeRuns (running: Backup[], requestedAt: number): void {
    const present = new Set<string>()
    for (const backup of running) {
      const kind = backup.status === 'running' ? 'backup' : 'restore'
      // The snapshot before a restore is a part of it
      if (backup.trigger === 'pre_restore' && kind === 'backup') continue
      const restoring = backup.restores.filter(({ status }) => status === 'running')
      for (const { schema } of kind === 'backup' ? [backup] : restoring) {
        const key = keyOf(kind, backup.id, schema)
        present.add(key)
        if ((this.#endedAt.get(key) ?? -1) < requestedAt) this.#addRun(kind, backup, schema)
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
      : { kind: 'completed', result: null, preRestoreId, at: ended.finishedAt ?? new Date().toISOString() })
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
          kind: 'completed',
          result: kind === 'restore' ? data : null,
          preRestoreId: data.preRestoreId ?? null,
          at: new Date().toISOString()
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
    const isImport = this.runs.get(key)?.trigger === 'import' && kind === 'backup'
    this.runs.delete(key)
    this.#endedAt.set(key, performance.now())
    const known = this.outcomes.get(key)
    // Of the end that the status has shown, the event has the details
    const hasDetails = outcome.kind === 'completed' ? outcome.result !== null : outcome.code !== ''
    if (known === undefined || hasDetails) this.outcomes.set(key, outcome)
    if (known !== undefined) return
    const what = kind === 'restore' ? 'Restore' : isImport ? 'Import' : 'Snapshot'
    if (outcome.kind === 'failed') this.notify('bad', `${what} of “${schema}” failed: ${outcome.message}`, id)
    else this.notify('good', isImport ? `“${schema}” imported.` : `${what} of “${schema}” completed.`, id)
    this.touch()
  }

  #changed (): void {
    this.dispatchEvent(new Event('change'))
  }
}
