/** Lets one range after the other be passed. */
export class Turns {
  error: unknown
  #hasFailed = false
  #current = 0
  readonly #waiting = new Map<number, { resolve: () => void, reject: (error: unknown) => void }>()

  /** Returns a promise of the turn of this range, which rejects after a failure; undefined if it is its turn now. */
  take (range: number): Promise<void> | undefined {
    if (this.#hasFailed) throw this.error
    if (range === this.#current) return undefined
    return new Promise((resolve, reject) => { this.#waiting.set(range, { resolve, reject }) })
  }

  /** It was the turn of this range, and all of its rows were passed. */
  end (range: number): void {
    this.#current = range + 1
    this.#waiting.get(this.#current)?.resolve()
    this.#waiting.delete(this.#current)
  }

  /** No range gets its turn any more. Only the first failure counts: others follow from it. */
  fail (error: unknown): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.error = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
