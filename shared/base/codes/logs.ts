/** PT-283n: the log of the whole service, and what is measured of it. */
import type { ErrorEntry } from '../errors.ts'

export const logCodes = {
  'logs.search': {
    code: 'PT-2830',
    http: 400,
    exit: 2,
    retry: 'never',
    owner: 'user',
    title: 'The search of the log was not understood',
    cause: 'A part of the search is no word and no field of a line, or a field is given twice.',
    cure: 'Write words, or a field and its value, such as code:PT-5108, request:ID, relay:r1, account:acc_…, level>=warn or since:2h. Put a word that has a colon in quotation marks.',
  },
  'logs.off': {
    code: 'PT-2831',
    http: 409,
    exit: 1,
    retry: 'never',
    owner: 'operator',
    title: 'The log cannot be searched here',
    cause:
      'This server keeps no index of its log: the setting "logs" turns it off, or its file cannot be opened.',
    cure: 'Set "logs.megabytes" to 8 or more, or read the files in the folder logs of the data folder. The log says why a file could not be opened.',
  },
  'telemetry.settings': {
    code: 'PT-2832',
    http: 500,
    exit: 2,
    retry: 'never',
    owner: 'operator',
    title: 'The settings of OpenTelemetry are wrong',
    cause:
      'A standard variable (OTEL_…) asks for what cannot be done: another protocol, or an endpoint that is no address.',
    cure: 'Set OTEL_EXPORTER_OTLP_ENDPOINT to the address of a collector that takes OTLP over HTTP, such as http://localhost:4318, or unset it.',
  },
} as const satisfies Record<string, ErrorEntry>
