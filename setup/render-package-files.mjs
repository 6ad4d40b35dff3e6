// Renders, from the tables of settings, the settings files and manual pages of the .deb and .rpm packages: packaging/linux/files.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SETTINGS as brokerSettings } from '../broker/settings.ts';
import { SETTINGS as sidecarSettings } from '../sidecar/config/settings.ts';
import { root } from './paths.mjs';

const folder = join(root, 'packaging/linux/files');

/** @typedef {{ name: string, fallback: string, required: string, doc: string }} Setting */
/** @typedef {{ program: string, title: string, about: string, unit: string, settings: Setting[], signals: [string, string][] }} Program */

/** @type {Program[]} */
const programs = [
  {
    program: 'sidecar',
    title: 'gets the identity of a workload, keeps it, and proxies its calls',
    about:
      'It gets an X.509-SVID for one workload from Vault by way of a broker, keeps it in memory, renews it, and lets the app speak plain HTTP on loopback while every byte between workloads is mTLS, judged and recorded. Its configuration is the environment; systemd reads it from the settings file.',
    unit: 'signet-sidecar.service, and signet-sidecar@NAME.service for each of several on one machine, whose settings are in /etc/signet/NAME.env',
    settings: Object.entries(sidecarSettings).map(([name, each]) => ({ name, ...each })),
    signals: [
      [
        'SIGHUP',
        'renews the identity now, and reads the files of policies and users again (systemctl reload)',
      ],
      ['SIGUSR2', 'replaces several workers one after the other, losing no request'],
      ['SIGTERM', 'drains and ends'],
    ],
  },
  {
    program: 'broker',
    title: 'verifies where workloads run, and hands them single-use tokens of Vault',
    about:
      'It verifies what a workload shows, finds the entry that it is registered by, and gives it a token of Vault that is good once and for one SPIFFE ID. Its configuration is the environment; systemd reads it from the settings file.',
    unit: 'signet-broker.service',
    settings: Object.entries(brokerSettings).map(([name, { required, ...each }]) => ({
      ...{ name, ...each, required: required ? 'always' : '' },
    })),
    signals: [['SIGTERM', 'drains and ends']],
  },
];

/** The texts by their files. @returns {Map<string, string>} */
export function renderPackageFiles() {
  return new Map(
    programs.flatMap((program) => [
      [join(folder, `${program.program}.env`), settingsFile(program)],
      [join(folder, `signet-${program.program}.8`), manualPage(program)],
    ]),
  );
}

/** Every variable, in a comment. @param {Program} program */
function settingsFile({ program, settings, unit }) {
  const head = [
    `Settings of ${unit.split(',')[0]}: NAME=value, one a line. Quote a value that has white space, "#" or a backslash in it: NAME='value'.`,
    `A file of systemd, not of a shell: nothing is expanded in it. man signet-${program}`,
  ];
  const blocks = settings.map(({ name, fallback, required, doc }) => {
    const notes = [doc, required && `Required: ${required}.`].filter(Boolean).join('. ').replaceAll('`', '');
    return `${comment(notes)}\n#${name}=${fallback}\n`;
  });
  return [...head.map(comment), '', ...blocks].join('\n');
}

/** @param {string} text */
function comment(text) {
  return wrap(text, 98)
    .map((line) => `# ${line}`)
    .join('\n');
}

/** @param {string} text @param {number} width @returns {string[]} */
function wrap(text, width) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = String(lines.at(-1));
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

/** @param {Program} program */
function manualPage({ program, title, about, unit, settings, signals }) {
  const variables = settings.map(({ name, fallback, required, doc }) => {
    const notes = [required && `Required: ${required}.`, fallback && `Default: ${fallback}`];
    return item(name, [doc.replaceAll('`', ''), ...notes].filter(Boolean).join('\n.br\n'));
  });
  return [
    `.TH SIGNET\\-${program.toUpperCase()} 8 "" "Signet" "Signet"`,
    `.SH NAME\nsignet\\-${program} \\- ${roff(title)}`,
    `.SH SYNOPSIS\n.B signet ${program}\n[\\-\\-help]`,
    `.SH DESCRIPTION\n${roff(about)}`,
    `.SH ENVIRONMENT\n${variables.join('\n')}`,
    `.SH SIGNALS\n${signals.map(([name, what]) => item(name, what)).join('\n')}`,
    `.SH EXIT STATUS\n${item('0', 'ended on request')}\n${item('1', 'failed')}\n${item('2', 'wrong usage or configuration')}`,
    `.SH FILES\n${item(`/etc/signet/${program}.env`, `settings of ${unit}`)}`,
    `.SH SEE ALSO\n.BR systemctl (1),\n.BR signet\\-${program === 'sidecar' ? 'broker' : 'sidecar'} (8)\n`,
  ].join('\n');
}

/** @param {string} name @param {string} text */
function item(name, text) {
  return `.TP\n.B ${roff(name)}\n${text
    .split('\n')
    .map((line) => (line === '.br' ? line : roff(line)))
    .join('\n')}`;
}

/** As text: nothing of it is a command to the formatter. @param {string} text */
function roff(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1')
    .replace(
      /[^\x20-\x7e]/gu,
      (sign) => `\\[u${sign.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}

if (process.argv[1] === import.meta.filename) {
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of renderPackageFiles()) writeFileSync(file, text);
}
