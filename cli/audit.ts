import { Command } from 'commander';
import { findCommand, showCommand } from './audit-find.ts';
import { keysCommand } from './audit-keys.ts';
import { verifyCommand } from './audit-verify.ts';

/** `signet audit`: works offline, on files; only `keys export` asks the broker. */
export function auditCommand(): Command {
  return new Command('audit')
    .description('verify and read audit logs')
    .addCommand(verifyCommand())
    .addCommand(findCommand())
    .addCommand(showCommand())
    .addCommand(keysCommand());
}
