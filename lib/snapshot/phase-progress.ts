import type { Progress } from '../../types/index.ts'

/**
 * What the code that reads or writes a snapshot knows about its progress. It knows the current phase, and neither the
 * size of the file nor the other phases of its run.
 */
export type PhaseProgress = Omit<Progress, 'bytesTotal' | 'percent' | 'etaMs'>

export type OnPhaseProgress = (progress: PhaseProgress) => void
