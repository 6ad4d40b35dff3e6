import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import {
  parseSshPrivateKey,
  parseSshPublicKey,
  SshError,
  verifySshSignature,
} from '../../../../lib/attestation/ssh/index.ts';
import { HOST, KEY_KINDS, SshKeygen } from './ssh-keygen.ts';

const MESSAGE = 'signet-attest-v1\nexample.org\nchallenge\n00ff\n';
const HOUR = 3600_000;

const verify = (armored: string, { message = MESSAGE, now = new Date() } = {}) =>
  verifySshSignature({ armored, namespace: 'signet-attest-v1', message: Buffer.from(message), now });
const refused = (code: string, run: () => unknown) =>
  assert.throws(run, (error) => error instanceof SshError && error.code === code);

describe('SSH and the real ssh-keygen', () => {
  let tool: SshKeygen;
  before(function () {
    this.timeout(60_000);
    tool = new SshKeygen();
    for (const name of ['ca', 'other', 'subject']) tool.key(name);
    for (const [name, , kind] of KEY_KINDS) {
      tool.key(name, kind);
      tool.certify('ca', name, ['-z', '18446744073709551615', ...HOST]);
    }
  });
  after(() => tool.remove());

  for (const [name, type] of KEY_KINDS) {
    describe(name, () => {
      it('verifies its signature, and over no other message', () => {
        const armored = tool.sign(name, MESSAGE);
        assert.deepEqual(verify(armored), {
          keyFingerprint: tool.fingerprint(`${name}.pub`),
          keyType: type,
        });
        refused('SSH_BAD_SIGNATURE', () => verify(armored, { message: `${MESSAGE} ` }));
      });

      it('verifies its signature with a host certificate', () => {
        const { certificate, ...key } = verify(tool.sign(`${name}-cert.pub`, MESSAGE));
        assert.deepEqual(key, { keyFingerprint: tool.fingerprint(`${name}.pub`), keyType: type });
        assert.ok(certificate);
        const { validAfter, validBefore, ...rest } = certificate;
        assert.deepEqual(rest, {
          caFingerprint: tool.fingerprint('ca.pub'),
          principals: ['host.example'],
          keyId: 'the id',
          serial: '18446744073709551615',
        });
        assert.equal(validBefore.getTime() - validAfter.getTime(), 2 * HOUR);
        assert.ok(Math.abs(validAfter.getTime() + HOUR - Date.now()) < 60_000);
      });

      it('signs what ssh-keygen verifies, bare and certified', () => {
        const bare = parseSshPrivateKey(tool.read(name));
        const ours = bare.sign('signet-attest-v1', Buffer.from(MESSAGE));
        assert.match(
          tool.verify(`${name}.pub`, ours, MESSAGE),
          /^Good "signet-attest-v1" signature for host/,
        );
        assert.throws(() => tool.verify(`${name}.pub`, ours, 'another'));
        assert.equal(bare.fingerprint, tool.fingerprint(`${name}.pub`));
        assert.equal(bare.keyType, type);

        const certified = parseSshPrivateKey(tool.read(name), tool.read(`${name}-cert.pub`));
        const signed = certified.sign('signet-attest-v1', Buffer.from(MESSAGE));
        assert.match(tool.check(signed, MESSAGE), /^Good "signet-attest-v1" signature with \w+-CERT key/);
        assert.deepEqual(verify(signed).certificate, certified.certificate);
      });

      it('reads its .pub line as ssh-keygen -l does', () => {
        assert.deepEqual(parseSshPublicKey(tool.read(`${name}.pub`)), {
          fingerprint: tool.fingerprint(`${name}.pub`),
          type,
        });
      });
    });
  }

  for (const [name, , kind] of KEY_KINDS) {
    it(`verifies a certificate signed by a CA of ${name}`, () => {
      tool.certify(name, 'subject');
      const { certificate } = verify(tool.sign('subject-cert.pub', MESSAGE));
      assert.equal(certificate?.caFingerprint, tool.fingerprint(`${name}.pub`), kind.join(' '));
    });
  }

  it('takes a CA signature of rsa-sha2-256, not one of SHA-1', () => {
    tool.certify('rsa-2048', 'subject', ['-t', 'rsa-sha2-256', ...HOST]);
    assert.ok(verify(tool.sign('subject-cert.pub', MESSAGE)).certificate);
    tool.certify('rsa-2048', 'subject', ['-t', 'ssh-rsa', ...HOST]);
    refused('SSH_UNSUPPORTED', () => verify(tool.sign('subject-cert.pub', MESSAGE)));
  });

  it('keeps every principal of a certificate, and an endless window', () => {
    tool.certify('ca', 'subject', ['-h', '-n', 'a.example,b,*.c', '-V', 'always:forever']);
    const { certificate } = verify(tool.sign('subject-cert.pub', MESSAGE));
    assert.deepEqual(certificate?.principals, ['a.example', 'b', '*.c']);
    assert.deepEqual([certificate?.validAfter.getTime(), certificate?.validBefore.getTime()], [0, 8.64e15]);
  });

  for (const [what, code, args] of [
    ["a user's", 'SSH_CERT_NOT_HOST', ['-n', 'root', '-V', '-1h:+1h']],
    ['one that names no host', 'SSH_CERT_NO_PRINCIPAL', ['-h', '-V', '-1h:+1h']],
    ['an expired one', 'SSH_CERT_EXPIRED', ['-h', '-n', 'host.example', '-V', '-2h:-1h']],
    ['one not valid yet', 'SSH_CERT_NOT_YET_VALID', ['-h', '-n', 'host.example', '-V', '+1h:+2h']],
  ] as const) {
    it(`refuses a certificate: ${what}`, () => {
      tool.certify('ca', 'subject', args);
      refused(code, () => verify(tool.sign('subject-cert.pub', MESSAGE)));
    });
  }

  it('refuses a signature for another purpose', () => {
    refused('SSH_WRONG_NAMESPACE', () => verify(tool.sign('ed25519', MESSAGE, 'file')));
    refused('SSH_WRONG_NAMESPACE', () => verify(tool.sign('ed25519', MESSAGE, 'signet-attest-v10')));
  });

  it('refuses RSA of 1024 bits, to verify, to sign and to pin', () => {
    tool.key('rsa-1024', ['-t', 'rsa', '-b', '1024']);
    refused('SSH_WEAK_KEY', () => verify(tool.sign('rsa-1024', MESSAGE)));
    refused('SSH_WEAK_KEY', () => parseSshPrivateKey(tool.read('rsa-1024')));
    refused('SSH_WEAK_KEY', () => parseSshPublicKey(tool.read('rsa-1024.pub')));
  });

  for (const [format, kind] of [
    ['PEM', ['-t', 'rsa', '-b', '2048']],
    ['PEM', ['-t', 'ecdsa', '-b', '384']],
    ['PKCS8', ['-t', 'rsa', '-b', '2048']],
    ['PKCS8', ['-t', 'ecdsa', '-b', '521']],
  ] as const) {
    const name = `${format}-${kind[1]}`;
    it(`reads a ${kind[1]} key kept as ${format}`, () => {
      tool.key(name, ['-m', format, ...kind]);
      assert.doesNotMatch(tool.read(name), /OPENSSH/);
      assert.equal(parseSshPrivateKey(tool.read(name)).fingerprint, tool.fingerprint(`${name}.pub`));
    });
    it(`says of a ${kind[1]} key kept as ${format} that it has a passphrase`, () => {
      tool.key(`${name}-locked`, ['-m', format, ...kind], 'correct horse');
      refused('SSH_KEY_ENCRYPTED', () => parseSshPrivateKey(tool.read(`${name}-locked`)));
    });
  }

  it('says of an OpenSSH key that it has a passphrase', () => {
    tool.key('locked', undefined, 'correct horse');
    refused('SSH_KEY_ENCRYPTED', () => parseSshPrivateKey(tool.read('locked')));
  });

  it("refuses another key's certificate, and a user's", () => {
    refused('SSH_KEY_MISMATCH', () => parseSshPrivateKey(tool.read('other'), tool.read('ed25519-cert.pub')));
    tool.certify('ca', 'subject', ['-n', 'root']);
    refused('SSH_CERT_NOT_HOST', () =>
      parseSshPrivateKey(tool.read('subject'), tool.read('subject-cert.pub')),
    );
  });

  it('refuses to pin a certificate', () => {
    assert.throws(() => parseSshPublicKey(tool.read('ed25519-cert.pub')), {
      code: 'SSH_UNSUPPORTED',
      message: /certificate/,
    });
  });
});
