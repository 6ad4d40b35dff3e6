/**
 * Node's HTTP without the rest of `node:http`: an import statement reads every export there is, and for one of them (WebSocket) Node
 * loads a client that takes 4 MB and that no program of ours uses.
 */
export const { Agent, createServer, request, STATUS_CODES } = process.getBuiltinModule('node:http');
