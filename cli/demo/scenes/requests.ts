import { connect } from 'node:tls';
import type { World } from '../world.ts';
import { ask, expect, type Shown } from './shown.ts';

export async function allowed(world: World): Promise<Shown<number>> {
  const answer = await ask(world.web, 'GET', '/orders/42');
  expect(answer.status === 200, 'the allowed request', answer);
  expect(answer.body.includes(world.web.id), "the caller's ID at the app", answer);
  return { title: 'allowed', facts: `GET /orders/42 by web: 200 ${answer.body}`, found: 1 };
}

export async function denied(world: World): Promise<Shown<number>> {
  const byRule = await ask(world.web, 'DELETE', '/orders/42');
  const problem = JSON.parse(byRule.body);
  expect(byRule.status === 403 && problem.rule === 'orders-never-deleted', 'the denied request', byRule);
  const byNone = await ask(world.web, 'GET', '/admin');
  expect(byNone.status === 403, 'the request that no rule allows', byNone);
  return {
    title: 'denied',
    facts: `DELETE /orders/42 by web: 403, rule ${problem.rule}: ${problem.detail}`,
    found: 2,
  };
}

export async function strangerRefused(world: World): Promise<Shown<string>> {
  const outcome = await withoutCertificate(world.orders.inbound);
  expect(outcome.startsWith('ERR_SSL') || outcome === 'ECONNRESET', 'a caller with no certificate', {
    outcome,
  });
  return {
    title: 'no certificate',
    facts: `a caller with no client certificate is refused in the handshake: ${outcome}`,
    found: outcome,
  };
}

function withoutCertificate(address: string): Promise<string> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve) => {
    // The server's own certificate is of no interest to this caller, who has none to show.
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
      socket.write('GET /orders/42 HTTP/1.1\r\nHost: orders\r\n\r\n');
    });
    socket.on('data', (data) => resolve(`answered: ${data.toString('latin1', 0, 12)}`));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve('closed'));
  });
}
