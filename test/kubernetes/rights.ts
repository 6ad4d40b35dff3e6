/** A ClusterRole's rule, as far as the chart has such. */
export type Rule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
};

/** One line of the API server's audit log, as far as it is read here. */
export type AuditLine = {
  readonly verb: string;
  readonly requestURI: string;
  readonly user?: { readonly username?: string };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly name?: string;
  };
  readonly annotations?: Readonly<Record<string, string>>;
};

/** A right as a text: `get pods`, `create tokenreviews.authentication.k8s.io`, `patch x.admissionregistration.k8s.io signet-injector`. */
export function rightsOf(rules: readonly Rule[]): string[] {
  return rules
    .flatMap(({ apiGroups, resources, verbs, resourceNames = [''] }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.flatMap((verb) => resourceNames.map((name) => textOf(verb, resource, group, name))),
        ),
      ),
    )
    .sort();
}

/** The rights that somebody used, each once; those bound to a name by name. */
export function rightsUsed(lines: readonly AuditLine[], granted: readonly string[]): string[] {
  return [...new Set(lines.map((line) => rightUsed(line, granted)))].sort();
}

function rightUsed({ verb, requestURI, objectRef }: AuditLine, granted: readonly string[]): string {
  if (objectRef?.resource === undefined) return `${verb} ${requestURI.split('?')[0]}`;
  const { resource, subresource, apiGroup = '', name = '' } = objectRef;
  const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
  const named = textOf(verb, whole, apiGroup, name);
  return granted.includes(named) ? named : textOf(verb, whole, apiGroup, '');
}

function textOf(verb: string, resource: string, group: string, name: string): string {
  return `${verb} ${resource}${group === '' ? '' : `.${group}`}${name === '' ? '' : ` ${name}`}`;
}
