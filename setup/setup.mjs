#!/usr/bin/env node
// Makes a clone runnable: locked npm packages, the pinned Node, Vault, and what a task needs from the system.
// `setup.mjs [check|test|bench]`; plain JavaScript, nothing installed yet. Node's version is judged before anything newer is parsed.
const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 20) {
  console.error(`setup: Node ${process.versions.node} is too old to start; install Node 20 or newer`);
  process.exit(1);
}
const { setUp } = await import('./set-up.mjs');
process.exitCode = await setUp(process.argv.slice(2));
