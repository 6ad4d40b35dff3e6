{{/* One broker to a cluster: Vault's role, the webhook and the sidecars name it so. */}}
{{- define "signet.name" -}}signet-broker{{- end }}

{{- define "signet.selector" -}}
app.kubernetes.io/name: signet-broker
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "signet.labels" -}}
{{ include "signet.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: broker
app.kubernetes.io/part-of: signet
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "signet.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* How pods are injected: what SIGNET_INJECTOR names. */}}
{{- define "signet.injector" -}}
{{- $vault := dict -}}
{{- with .Values.vault.publicAddress }}{{ $_ := set $vault "address" . }}{{ end -}}
{{- with .Values.vault.namespace }}{{ $_ := set $vault "namespace" . }}{{ end -}}
{{- if .Values.vault.caCert }}{{ $_ := set $vault "ca_file" "/etc/signet/vault-ca.pem" }}{{ end -}}
{{- dict
  "cluster" .Values.cluster
  "namespace" .Release.Namespace
  "image" (.Values.injector.image | default (include "signet.image" .))
  "image_pull_policy" .Values.image.pullPolicy
  "resources" .Values.injector.resources
  "broker_url" (printf "https://%s.%s.svc" (include "signet.name" .) .Release.Namespace)
  "vault" $vault
  "upstreams" .Values.injector.upstreams
  "environment" .Values.injector.settings
  "webhooks" (dict "mutating" (include "signet.webhooks" .) "validating" (include "signet.webhooks" .) "service" (include "signet.name" .))
  | toPrettyJson -}}
{{- end }}

{{- define "signet.webhooks" -}}signet-injector{{- end }}

{{/* What brokers read once, at start. */}}
{{- define "signet.config" -}}
{{- with .Values.vault.caCert }}
vault-ca.pem: |
  {{- trim . | nindent 2 }}
{{- end }}
{{- if .Values.injector.enabled }}
injector.json: |
  {{- include "signet.injector" . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The names of the Service, then the user's. */}}
{{- define "signet.brokerNames" -}}
{{- $service := printf "%s.%s.svc" (include "signet.name" .) .Release.Namespace -}}
{{ concat (list $service) .Values.brokerNames | join "," }}
{{- end }}

{{/* The port in Vault's address. */}}
{{- define "signet.vaultPort" -}}
{{- $host := (urlParse .Values.vault.address).host -}}
{{- regexFind ":[0-9]+$" $host | trimPrefix ":" | default "443" -}}
{{- end }}

{{- define "signet.peers" -}}
{{- range . }}
- ipBlock:
    cidr: {{ . }}
{{- end }}
{{- end }}
