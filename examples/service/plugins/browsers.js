// @ts-check
import compress from '@fastify/compress'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import fp from 'fastify-plugin'
import { settings } from '../settings.js'

export default fp(async (app) => {
  await app.register(cors, {
    origin: [settings.pageOrigin],
    credentials: true,
    methods: ['GET', 'POST', 'PATCH', 'DELETE'],
    exposedHeaders: ['location', 'content-disposition']
  })
  await app.register(helmet)
  await app.register(compress)
}, { name: 'browsers' })
