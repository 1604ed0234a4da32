/** CA certificates (Kong's `ca_certificates`): whom to trust. */
import { createHash } from 'node:crypto';
import { parseCertificate } from './formats/crypto.ts';
import type { CheckContext, Entity, EntityDefinition, Values } from './schema/field.ts';
import * as t from './typedefs.ts';

const fields = {
  id: t.uuid,
  cert: { ...t.certificate, required: true },
  cert_digest: { type: 'string', unique: true },
  tags: t.tags,
  created_at: t.timestamp,
  updated_at: t.timestamp,
} as const satisfies EntityDefinition['fields'];

export interface CaCertificate extends Entity<typeof fields> {}

const BEGIN = '-----BEGIN CERTIFICATE-----';

function authorityProblem(entity: Values, context: CheckContext): string | null {
  const pem = entity['cert'];
  if (typeof pem !== 'string') return null;
  if (pem.split(BEGIN).length > 2) return 'please submit only one certificate at a time';
  const certificate = parseCertificate(pem);
  if (certificate === null) return null;
  if (certificate.validToDate.getTime() < context.now * 1000) {
    return 'certificate expired, "Not After" time is in the past';
  }
  return certificate.ca
    ? null
    : 'certificate does not appear to be a CA because it is missing the "CA" basic constraint';
}

export const caCertificates: EntityDefinition = {
  name: 'ca_certificates',
  fields,
  entity_checks: [{ custom_entity_check: { field_sources: ['cert'], fn: authorityProblem } }],
  transform: (entity) => {
    const certificate = parseCertificate(String(entity['cert']));
    if (certificate === null) return;
    entity['cert_digest'] = createHash('sha256').update(certificate.raw).digest('hex');
  },
};
