import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Stands for AWS: certificates and signatures by the real OpenSSL, in the form in which AWS gives them. */
export interface TestAws extends AsyncDisposable {
  readonly dir: string;
  signer(region: string, options?: SignerOptions): Promise<AwsSigner>;
}

export type SignerOptions = {
  readonly days?: number;
  /** `rsa:1024` */
  readonly key?: string;
  /** Who vouches for its certificate, where that is not itself. */
  readonly by?: AwsSigner;
};

export interface AwsSigner {
  readonly region: string;
  /** PEM files. */
  readonly certificate: string;
  readonly key: string;
  /** Base64 of a SignedData around the text: BER of indefinite lengths, signed attributes, no certificate. */
  sign(document: string | Uint8Array, more?: readonly string[]): Promise<string>;
}

/** An identity document as the metadata service prints it. */
export function identityDocument(more: object = {}): string {
  const document = {
    accountId: '123456789012',
    architecture: 'x86_64',
    availabilityZone: 'eu-central-1b',
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: 'ami-0123456789abcdef0',
    instanceId: 'i-0123456789abcdef0',
    instanceType: 't3.micro',
    kernelId: null,
    pendingTime: '2026-01-19T16:32:11Z',
    privateIp: '10.158.112.84',
    ramdiskId: null,
    region: 'eu-central-1',
    version: '2017-09-30',
    ...more,
  };
  return JSON.stringify(document, null, 2).replaceAll('": ', '" : ');
}

export async function testAws(): Promise<TestAws> {
  const dir = await mkdtemp(join(tmpdir(), 'signet-aws-'));
  let count = 0;
  return {
    dir,
    async signer(region, { days = 30, key = 'rsa:2048', by } = {}) {
      const name = join(dir, `${region}-${count++}`);
      const [certificate, keyFile] = [`${name}.pem`, `${name}.key`];
      const args = [
        'req',
        '-x509',
        '-newkey',
        key,
        '-nodes',
        '-sha256',
        '-days',
        String(days),
        '-subj',
        SUBJECT,
      ];
      const vouched = by === undefined ? [] : ['-CA', by.certificate, '-CAkey', by.key];
      await run('openssl', [...args, ...vouched, '-keyout', keyFile, '-out', certificate]);
      return {
        region,
        certificate,
        key: keyFile,
        async sign(document, more = []) {
          const file = `${name}.doc-${count++}`;
          await writeFile(file, document);
          const cms = [
            'cms',
            '-sign',
            '-binary',
            '-nodetach',
            '-stream',
            '-nocerts',
            '-nosmimecap',
            '-md',
            'sha256',
          ];
          const files = ['-in', file, '-outform', 'DER', '-signer', certificate, '-inkey', keyFile];
          const args = [...cms, ...files, ...more].filter(
            (word) => word !== (more.includes('detached') ? '-nodetach' : ''),
          );
          await run('openssl', [...args.filter((word) => word !== 'detached'), '-out', `${file}.der`]);
          return (await readFile(`${file}.der`)).toString('base64').replace(/.{76}/g, '$&\n');
        },
      };
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

const SUBJECT = '/C=US/ST=Washington State/L=Seattle/O=Amazon Web Services LLC';
