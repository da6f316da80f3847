/** Pseudo-random numbers, which are the same for the same seed. */
export interface Random {
  seed: number
  /** A whole number from 0 to `below` - 1. */
  below: (below: number) => number
  pick: <T>(values: readonly T[]) => T
}

/**
 * Uses the seed TEST_FAULTS_SEED if it is set, to replay a failed run. A linear congruential generator (Knuth, TAOCP
 * 3.3.4), of which the upper bits are used.
 */
export function createRandom (): Random {
  const seed = Number(process.env.TEST_FAULTS_SEED ?? Math.floor(Math.random() * 2 ** 32))
  let state = BigInt(seed)
  const below = (limit: number): number => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n)
    return Number((state >> 33n) % BigInt(limit))
  }
  return { seed, below, pick: <T>(values: readonly T[]): T => values[below(values.length)] as T }
}
