output "layout" {
  description = "The layout, as `signet vault plan --config` and `doctor --config` read it."
  value       = local.layout
  # Whatever goes by it finds it in Vault, and goes before it.
  depends_on = [vault_generic_endpoint.layout]
}

output "csr" {
  description = "With an external root: what its keeper signs, as a CA of path length 0 with the URI SAN spiffe://<trust domain>."
  value       = local.root_in_vault || var.adopt ? null : vault_generic_endpoint.csr[0].write_data["csr"]
}

output "issuing_chain" {
  description = "The issuing CA and what is above it (PEM); null until it is signed, and where CAs were adopted."
  value       = local.can_sign ? local.chain : null
}

output "broker_environment" {
  description = "What a broker that logs in by AppRole is started with; its secret_id comes from `signet vault broker-credential`, never from a state."
  value = {
    SIGNET_TRUST_DOMAIN  = var.trust_domain
    SIGNET_VAULT_ROLE_ID = data.vault_approle_auth_backend_role_id.broker.role_id
    SIGNET_BROKER_DNS    = join(",", var.broker.dns)
  }
}

output "root_certificate" {
  description = "The root CA (PEM): what clients of a broker pin (SIGNET_BROKER_CA); null likewise."
  value       = local.can_sign ? "${reverse(regexall("-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----", local.chain))[0]}\n" : null
}
