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
