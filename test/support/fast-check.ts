import fc from 'fast-check'

/**
 * fast-check, with the seed of FAST_CHECK_SEED. A failure prints its seed and its path: to replay it, set
 * FAST_CHECK_SEED to the seed, and FAST_CHECK_PATH to the path to run only the failing case.
 */
export default fc

const { FAST_CHECK_SEED: seed, FAST_CHECK_PATH: path } = process.env
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed), ...path !== undefined && { path } })
