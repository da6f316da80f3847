// @ts-check
import { FastifyOtelInstrumentation } from '@fastify/otel'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import fp from 'fastify-plugin'

/** Sends a span for each request, hook and handler to the collector of OTEL_EXPORTER_OTLP_ENDPOINT. */
export default fp(async (app) => {
  if (!process.env.OTEL_EXPORTER_OTLP_ENDPOINT) return
  const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] })
  provider.register()
  const instrumentation = new FastifyOtelInstrumentation()
  instrumentation.setTracerProvider(provider)
  await app.register(instrumentation.plugin())
  app.addHook('onClose', async () => { await provider.shutdown() })
}, { name: 'telemetry' })
