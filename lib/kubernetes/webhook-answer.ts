import { X509Certificate } from 'node:crypto';
import { type Finding, finding, named } from './finding.ts';
import type { Webhook } from './objects.ts';

/** A webhook of ours, and how it is called in a finding. */
export type OurWebhook = { readonly webhook: Webhook; readonly at: string; readonly mutates: boolean };

/** What it presents is believed: an authority that is valid now. */
export function trustFindings({ webhook, at }: OurWebhook, now: Date): Finding[] {
  const { caBundle = '' } = webhook.clientConfig ?? {};
  const fix = 'a broker writes it: look whether one runs, and may patch this object (rights of the chart)';
  const breaks = 'the API server believes no broker, so annotated pods are not admitted';
  const flaw = (what: string) => [finding('webhook.ca-bundle', `${at} caBundle ${what}`, breaks, fix)];
  if (caBundle === '') return flaw('is empty');
  const certificates = certificatesIn(caBundle);
  if (certificates === undefined) return flaw('cannot be read as certificates');
  const valid = certificates.filter(
    ({ validFromDate, validToDate }) => validFromDate <= now && now < validToDate,
  );
  const until = certificates.map(({ validTo }) => validTo);
  return valid.length === 0 ? flaw(`holds no certificate that is valid now (until ${named(until)})`) : [];
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificatesIn(caBundle: string): X509Certificate[] | undefined {
  try {
    const blocks = Buffer.from(caBundle, 'base64').toString('latin1').match(BLOCK) ?? [];
    return blocks.length === 0 ? undefined : blocks.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

/** Less, and a broker that is busy is one that failed; more, and every pod waits so long for one that is gone. */
const TIMEOUT = { least: 2, most: 10 } as const;

/** The API server asks, waits, and holds to what it hears. */
export function answerFindings({ webhook, at, mutates }: OurWebhook): Finding[] {
  const findings: Finding[] = [];
  const { failurePolicy = 'Fail', timeoutSeconds = 10, sideEffects, rules = [] } = webhook;
  if (failurePolicy !== 'Fail') {
    findings.push(
      finding(
        'webhook.failure-policy',
        `${at} failurePolicy is ${failurePolicy}`,
        'whoever keeps the brokers from answering gets pods in as they are',
        'set it to Fail: helm upgrade',
      ),
    );
  }
  if (timeoutSeconds < TIMEOUT.least || timeoutSeconds > TIMEOUT.most) {
    findings.push(
      finding(
        'webhook.timeout',
        `${at} timeoutSeconds is ${timeoutSeconds}`,
        timeoutSeconds < TIMEOUT.least
          ? 'pods are refused while brokers are merely busy'
          : 'a broker that is gone holds up every annotated pod so long',
        `set injector.timeoutSeconds between ${TIMEOUT.least} and ${TIMEOUT.most}`,
      ),
    );
  }
  if (sideEffects !== 'None') {
    findings.push(
      finding(
        'webhook.side-effects',
        `${at} sideEffects is ${sideEffects}`,
        'dry runs are refused, those of this check among them',
        'set it to None: helm upgrade',
      ),
    );
  }
  const wanted = mutates ? ['CREATE'] : ['CREATE', 'UPDATE'];
  const asked = rules
    .filter(({ resources = [] }) => resources.some((each) => each === 'pods' || each === '*'))
    .flatMap(({ operations = [] }) => operations);
  const lacking = wanted.filter((each) => !asked.includes(each) && !asked.includes('*'));
  if (lacking.length > 0) {
    findings.push(
      finding(
        'webhook.rules',
        `${at} rules name no ${lacking.join(' and ')} of pods`,
        'brokers are not asked about them',
        'helm upgrade',
      ),
    );
  }
  return findings;
}
