#!/usr/bin/env node
import process from 'node:process'
import { createBackupService } from '../create-backup-service.ts'
import { runIfMain } from './run-process.ts'

await runIfMain(import.meta.url, process, createBackupService)
