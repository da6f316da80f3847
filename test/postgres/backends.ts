export * from '../support/backends.ts'
export * from '../support/until.ts'
