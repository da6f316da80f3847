export { backupPlugin, backupPlugin as default } from './plugin.ts'
export * from '../types/index.ts'
