import { builtinModules } from 'node:module';

// The layers (docs/architecture.md). A room is a folder; what a room may import is said here and nowhere else.

/** The pure stages, each importing only earlier ones. */
const stages = [
  'spiffe',
  'attestation',
  'grant',
  'svid',
  'tpm',
  'rotation',
  'token',
  'risk',
  'manifest',
  'policy',
  'fingerprint',
  'assertion',
  'audit',
  'telemetry',
  'calls',
];

/** The rooms of lib/ that know of no program and no adapter, in the order in which they may import each other. */
const rooms = [...stages, 'vault-layout', 'kubernetes'];

/** What would make the sidecar large: it reads certificates and makes its CSR without them. */
const notInSidecar = [
  'node-vault',
  'express',
  'pkijs',
  '@peculiar/x509',
  'reflect-metadata',
  'ajv',
  'commander',
  '@kubernetes/client-node',
  'js-yaml',
];

/** Node's modules that a stage may use: they touch nothing outside the process. Of `net` only `isIP` and `BlockList` are meant. */
const pureNode = ['buffer', 'crypto', 'net', 'util'];

/** @param {string[]} names */
const packages = (names) => `^node_modules/(${names.map((name) => name.replace('/', '\\/')).join('|')})/`;

/** @type {import('dependency-cruiser').IForbiddenRuleType[]} */
const stageOrder = stages.map((stage, at) => ({
  name: `stage-order-${stage}`,
  comment: 'a stage imports only earlier stages',
  severity: 'error',
  from: { path: `^lib/${stage}/` },
  to: { path: `^lib/(${rooms.slice(at + 1).join('|')})/` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...stageOrder,
    {
      name: 'stages-are-pure',
      comment: 'a stage does no I/O',
      severity: 'error',
      from: { path: `^lib/(${stages.join('|')})/` },
      to: { dependencyTypes: ['core'], pathNot: `^(node:)?(${pureNode.join('|')})$` },
    },
    {
      name: 'vault-layout-acts-through-its-port',
      comment: 'it may wait, and reaches Vault only through the port it is given',
      severity: 'error',
      from: { path: '^lib/vault-layout/' },
      to: { dependencyTypes: ['core'], pathNot: `^(node:)?(${pureNode.join('|')}|timers/promises)$` },
    },
    {
      name: 'kubernetes-judges-what-it-is-shown',
      comment: 'a cluster comes as data, and no other room is needed to judge it',
      severity: 'error',
      from: { path: '^lib/kubernetes/' },
      to: {
        path: ['^(node:)?[a-z_/]+$', '^lib/[^/]+/'],
        pathNot: [`^(node:)?(${pureNode.join('|')})$`, '^lib/kubernetes/'],
      },
    },
    {
      name: 'stages-know-no-adapter',
      severity: 'error',
      from: { path: `^lib/(${rooms.join('|')})/` },
      to: { path: '^lib/adapter/' },
    },
    {
      name: 'base-knows-no-room',
      comment: 'errors and secret lie below everything',
      severity: 'error',
      from: { path: '^lib/[^/]+$' },
      to: { path: '^lib/[^/]+/' },
    },
    {
      name: 'lib-knows-no-program',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^(broker|sidecar|cli)/' },
    },
    {
      name: 'stage-by-its-index',
      comment: 'from outside, a stage is imported through an index.ts; its published data may be read',
      severity: 'error',
      from: { path: '^(?:(lib/[^/]+)|[^/]+)/' },
      to: { path: `^lib/(${rooms.join('|')})/`, pathNot: ['/index\\.ts$', '\\.json$', '^$1/'] },
    },
    {
      name: 'broker-and-sidecar-are-strangers',
      severity: 'error',
      from: { path: '^(broker|sidecar)/' },
      to: { path: '^(broker|sidecar|cli)/', pathNot: '^$1/' },
    },
    {
      name: 'terraform-provider-knows-no-program',
      comment: 'it is a client of the broker like any other',
      severity: 'error',
      from: { path: '^terraform/' },
      to: { path: '^(broker|sidecar|cli|bin|bench|harness|packaging|setup|test)/' },
    },
    {
      name: 'one-room-speaks-to-terraform',
      comment: 'resources stand on its contract, not on the protocol',
      severity: 'error',
      from: {
        path: '^(?!terraform/provider/plugin/|cli/demo/apps/|setup/render-provider-protocol|test/|node_modules/)',
      },
      to: { path: packages(['@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs', '@msgpack/msgpack']) },
    },
    {
      name: 'one-room-speaks-to-vault',
      severity: 'error',
      from: { path: '^(lib|broker|sidecar|cli|bench)/', pathNot: '^lib/adapter/vault\\.ts$' },
      to: { path: packages(['node-vault']) },
    },
    {
      name: 'one-room-speaks-to-kubernetes',
      severity: 'error',
      from: { path: '^(lib|broker|sidecar|cli|bench)/', pathNot: '^lib/adapter/kubernetes/' },
      to: { path: packages(['@kubernetes/client-node', 'js-yaml']) },
    },
    {
      name: 'lean-sidecar',
      severity: 'error',
      from: { path: '^sidecar/' },
      to: { path: packages(notInSidecar), reachable: true },
    },
    {
      name: 'sidecar-knows-no-cluster',
      comment: 'it shows a token that it was given; what a cluster says of it is for the broker to ask',
      severity: 'error',
      from: { path: '^sidecar/' },
      to: { path: '^lib/adapter/kubernetes/', reachable: true },
    },
    {
      name: 'no-cycle',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'product-knows-no-workshop',
      severity: 'error',
      from: { path: '^(lib|broker|sidecar|bin|terraform)/' },
      to: { path: '^(test|bench|setup|harness|packaging)/' },
    },
    {
      name: 'packaging-takes-sources-as-files',
      comment: 'it packs the product; it runs none of it',
      severity: 'error',
      from: { path: '^packaging/' },
      to: { path: '^(lib|broker|sidecar|cli|bin|test|bench|harness)/' },
    },
    {
      name: 'product-needs-no-dev-package',
      comment:
        "but for the demo's apps: programs of their own, that run only in a clone; and for Terraform's plugin, which is packed as one file with what it needs",
      severity: 'error',
      from: {
        path: '^(lib|broker|sidecar|cli|bin|terraform)/',
        pathNot: '^(cli/demo/apps|terraform/provider/plugin)/',
      },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    moduleSystems: ['es6', 'cjs'],
    builtInModules: { override: [...builtinModules, 'ffi'], add: [] },
    enhancedResolveOptions: {
      conditionNames: ['import', 'node', 'types', 'default'],
      exportsFields: ['exports'],
    },
  },
};
