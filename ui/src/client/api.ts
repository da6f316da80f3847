import type {
  Backup, BackupList, Drift, Manifest, RestorePlan, RestoreResult, Status, Verification
} from '../../../types/index.ts'
import { isAbort } from './abort.ts'
import { contentTypeOf } from './content-type.ts'
import { readProgress, type OnProgress } from './read-progress.ts'

/** The answer of a route that refused or failed. */
export class ApiError extends Error {
  /** 0 when the service gave no answer. */
  readonly status: number
  readonly code: string
  readonly problems: string[]
  readonly drift: Drift[]

  constructor (status: number, body: { code?: string, message?: string, problems?: string[], drift?: Drift[] }) {
    super(body.message ?? `The service answered with status ${status}`)
    this.name = 'ApiError'
    this.status = status
    this.code = body.code ?? ''
    this.problems = body.problems ?? []
    this.drift = body.drift ?? []
  }
}

export interface ListQuery {
  schema?: string
  status?: string
  trigger?: string
  since?: string
  until?: string
  before?: string
  limit?: number
}

export interface PlanBody { schema?: string, tables?: string[] }
export interface RestoreBody extends PlanBody { allowSchemaDrift?: boolean }
export interface CreateBody { schema?: string, excludeTables?: string[], note?: string }
export interface UpdateBody { pinned?: boolean, note?: string | null, accepted?: boolean }

/** A call that reads for long, until its signal aborts. */
export interface LongCall { signal: AbortSignal, onProgress: OnProgress }

const statusMs = 60_000

/** Whether an answer is that of the route. A proxy or a sign-in may answer with other JSON and status 200. */
type IsAnswer = (answer: any) => boolean

interface Call { body?: unknown, prefer?: string, signal?: AbortSignal, onRefused?: () => void }

/** Calls the routes. Addresses are relative to the page, so that any prefix and proxy works. */
export class Api {
  /** In memory only. Null: the browser sends cookies or Basic credentials by itself. */
  token: string | null = null
  /** Called when a call other than status() was refused with 401 or 403. */
  onRefused: () => void = () => {}
  readonly #base = new URL('../', document.baseURI)

  /** Ends after a while: a connection that was lost silently, in a sleeping computer for example, never answers. */
  status = (): Promise<Status> =>
    this.#json(isStatus, 'GET', 'status?limit=1000', { signal: AbortSignal.timeout(statusMs), onRefused: () => {} })

  list = (query: ListQuery, signal?: AbortSignal): Promise<BackupList> =>
    this.#json(isList, 'GET', `?${toSearch({ ...query })}`, given(signal))

  /** The newest backups of the schemas after this one: one page of the status. */
  statusAfter = (after: string): Promise<Status> =>
    this.#json(isStatus, 'GET', `status?${toSearch({ limit: 1000, after })}`, { signal: AbortSignal.timeout(statusMs) })

  get = (id: string, signal?: AbortSignal): Promise<Backup> => this.#json(isOf(id), 'GET', id, given(signal))
  manifest = (id: string, signal?: AbortSignal): Promise<Manifest> =>
    this.#json(isManifest, 'GET', `${id}/manifest`, given(signal))

  create = (body: CreateBody): Promise<Backup> => this.#json(isBackup, 'POST', '', { body, prefer: 'respond-async' })
  update = (id: string, body: UpdateBody): Promise<Backup> =>
    this.#json(isOf(id), 'PATCH', id, { body })

  remove = (id: string): Promise<void> => this.#json(() => false, 'DELETE', id)
  verify = (id: string, call: LongCall): Promise<Verification> =>
    this.#long(isVerification, `${id}/verify`, call)

  plan = (id: string, body: PlanBody, call: LongCall): Promise<RestorePlan> =>
    this.#long(isOf(id), `${id}/plan`, call, body)

  restore = (id: string, body: RestoreBody): Promise<Backup | RestoreResult> =>
    this.#json(isOf(id), 'POST', `${id}/restore`, { body, prefer: 'respond-async' })

  /** The body is for streaming. */
  download = (id: string, as: 'json' | undefined, signal?: AbortSignal): Promise<Response> =>
    this.#send('GET', `${id}/download${as === undefined ? '' : '?as=json'}`, given(signal))

  events (lastId: string, signal: AbortSignal): Promise<Response> {
    return this.#send('GET', 'events', { signal, headers: lastId === '' ? {} : { 'last-event-id': lastId } })
  }

  /** By XMLHttpRequest, because fetch() does not report the progress of an upload. */
  import (file: File, onProgress: (sent: number) => void, signal: AbortSignal): Promise<Backup> {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest()
      request.open('POST', new URL('import', this.#base))
      request.setRequestHeader('content-type', contentTypeOf(file.name))
      for (const [name, value] of Object.entries(this.#credentials())) request.setRequestHeader(name, value)
      request.upload.addEventListener('progress', ({ loaded }) => { onProgress(loaded) })
      request.addEventListener('load', () => {
        if (isRefusal(request.status)) this.onRefused()
        const answer = request.status === 201 ? parseAnswer(request.responseText) : undefined
        if (isBackup(answer)) resolve(answer as Backup)
        else if (request.status < 300) reject(notOfService())
        else reject(new ApiError(request.status, parseBody(request.responseText)))
      })
      request.addEventListener('error', () => { reject(noAnswer()) })
      request.addEventListener('abort', () => { reject(new DOMException('Aborted', 'AbortError')) })
      signal.addEventListener('abort', () => { request.abort() })
      request.send(file)
    })
  }

  /** A proxy may remove the header that asks for events, so the answer may also be JSON. */
  async #long<T> (
    isAnswer: IsAnswer, path: string, { signal, onProgress }: LongCall, body?: unknown
  ): Promise<T> {
    const response = await this.#send('POST', path, {
      headers: {
        accept: 'text/event-stream, application/json', ...body !== undefined && { 'content-type': 'application/json' }
      },
      ...body !== undefined && { body: JSON.stringify(body) },
      signal
    })
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
    if (!isStream) return await readJson(response, isAnswer)
    const ended = await readProgress(response, onProgress).catch(throwNoAnswer)
    if (ended === undefined) throw noAnswer()
    if (ended.name === 'failed') throw toApiError(ended.data)
    return requireAnswer(ended.data, isAnswer)
  }

  async #json<T> (
    isAnswer: IsAnswer, method: string, path: string, { body, prefer, signal, onRefused }: Call = {}
  ): Promise<T> {
    const headers = {
      ...body !== undefined && { 'content-type': 'application/json' },
      ...prefer !== undefined && { prefer }
    }
    const response = await this.#send(method, path, {
      headers, ...body !== undefined && { body: JSON.stringify(body) }, ...signal !== undefined && { signal }
    }, onRefused)
    return response.status === 204 ? undefined as T : await readJson(response, isAnswer)
  }

  async #send (method: string, path: string, init: RequestInit = {}, onRefused = this.onRefused): Promise<Response> {
    const { token } = this
    const headers = { accept: 'application/json', ...init.headers, ...this.#credentials() }
    const response = await fetch(new URL(path, this.#base), {
      ...init, method, headers, cache: 'no-store', credentials: 'same-origin', redirect: 'manual'
    }).catch(throwNoAnswer)
    if (response.ok) return response
    // The routes never redirect: it is an auth function that leads to a login
    const status = response.type === 'opaqueredirect' ? 401 : response.status
    // Not when the reader has signed in again meanwhile
    if (isRefusal(status) && token === this.token) onRefused()
    throw new ApiError(status, parseBody(await response.text().catch(() => '')))
  }

  #credentials (): Record<string, string> {
    return this.token === null ? {} : { authorization: `Bearer ${this.token}` }
  }
}

const given = (signal: AbortSignal | undefined): Pick<Call, 'signal'> => signal === undefined ? {} : { signal }

const isRefusal = (status: number): boolean => status === 401 || status === 403

const noAnswer = (): ApiError => new ApiError(0, { message: 'The service does not answer' })

/** Whether the service has done what was asked is not known either. */
const notOfService = (): ApiError => new ApiError(0, {
  message: 'The answer is not from the service. A proxy or a sign-in page may have answered: load this page again.'
})

function throwNoAnswer (error: unknown): never {
  throw isAbort(error) ? error : noAnswer()
}

const readJson = async <T>(response: Response, isAnswer: IsAnswer): Promise<T> =>
  requireAnswer(parseAnswer(await response.text().catch(throwNoAnswer)), isAnswer)

function requireAnswer<T> (answer: unknown, isAnswer: IsAnswer): T {
  if (typeof answer !== 'object' || answer === null || !isAnswer(answer)) throw notOfService()
  return answer as T
}

/** Backups, plans and results of restores have the id of the snapshot. */
const isOf = (id: string): IsAnswer => (answer) => answer.id === id
const isBackup: IsAnswer = (answer) => typeof answer?.id === 'string'
const isStatus: IsAnswer = ({ healthy, running }) => typeof healthy === 'boolean' && Array.isArray(running)
const isList: IsAnswer = ({ backups }) => Array.isArray(backups)
const isManifest: IsAnswer = ({ tables }) => Array.isArray(tables)
const isVerification: IsAnswer = ({ ok, problems }) => typeof ok === 'boolean' && Array.isArray(problems)

export { isAbort }

/** The body of a success; undefined when it is not that of the service, which answers with objects only. */
function parseAnswer (text: string): object | undefined {
  try {
    const answer: unknown = JSON.parse(text)
    return typeof answer === 'object' && answer !== null ? answer : undefined
  } catch {
    return undefined
  }
}

type ErrorBody = ConstructorParameters<typeof ApiError>[1]

/** The body of an error of the service. A proxy may answer with something else than JSON, or with other JSON. */
function parseBody (text: string): ErrorBody {
  try {
    return takeBody(JSON.parse(text))
  } catch {
    return {}
  }
}

const takeBody = ({ code, message, problems, drift }: any): ErrorBody => ({
  ...typeof code === 'string' && code.startsWith('FST_') && { code },
  ...typeof message === 'string' && { message },
  ...Array.isArray(problems) && { problems },
  ...Array.isArray(drift) && { drift }
})

/** From the event that tells of the error. */
const toApiError = (body: any): ApiError => new ApiError(Number(body.statusCode), takeBody(body))

function toSearch (query: Record<string, unknown>): string {
  const parts = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  return new URLSearchParams(parts.map(([name, value]) => [name, String(value)])).toString()
}
