import { constants, setPriority } from 'node:os'

/**
 * Lowers the priority of the current thread, so that the service's threads run first when there is not enough CPU time
 * for all. Costs nothing when there is. On Linux each thread has its own priority (setpriority(2), "C library/kernel
 * differences"); on other systems this would lower the priority of the complete service.
 */
export function lowerPriority (
  platform = process.platform,
  set: (pid: number, priority: number) => void = setPriority
): void {
  if (platform !== 'linux') return
  try {
    set(0, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // A sandbox may forbid it. The run works without it
  }
}
