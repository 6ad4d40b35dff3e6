# The CAs. Keys are made in Vault and never leave it; what a state holds of them are requests and certificates. A change of words never
# makes a second CA: rotation is the operator's work.

locals {
  ca_subject = {
    uri_sans             = "spiffe://${var.trust_domain}"
    exclude_cn_from_sans = true
    format               = "pem"
  }
}

resource "vault_generic_endpoint" "root" {
  count          = local.root_in_vault && !var.adopt ? 1 : 0
  path           = "signet-pki-root/root/generate/internal"
  disable_read   = true
  disable_delete = true
  write_fields   = ["certificate"]
  data_json = jsonencode(merge(local.ca_subject, {
    common_name     = "Signet root CA of ${var.trust_domain}"
    issuer_name     = "root"
    key_type        = "ec"
    key_bits        = 256
    max_path_length = 1
    ttl             = "87600h"
  }))
  depends_on = [vault_mount.engine, vault_generic_endpoint.address]
  lifecycle {
    ignore_changes = [data_json]
  }
}

resource "vault_generic_endpoint" "issuing_key" {
  count          = var.adopt ? 0 : 1
  path           = "signet-pki/keys/generate/internal"
  disable_read   = true
  disable_delete = true
  data_json = jsonencode({
    key_name = "signet-issuing"
    key_type = "ec"
    key_bits = 256
  })
  depends_on = [vault_mount.engine, vault_generic_endpoint.address]
}

resource "vault_generic_endpoint" "csr" {
  count          = var.adopt ? 0 : 1
  path           = "signet-pki/issuers/generate/intermediate/existing"
  disable_read   = true
  disable_delete = true
  write_fields   = ["csr"]
  data_json = jsonencode(merge(local.ca_subject, {
    common_name           = "Signet issuing CA of ${var.trust_domain}"
    key_ref               = "signet-issuing"
    add_basic_constraints = true
  }))
  depends_on = [vault_generic_endpoint.issuing_key]
  lifecycle {
    ignore_changes = [data_json]
  }
}

resource "vault_generic_endpoint" "signed" {
  count          = local.root_in_vault && !var.adopt ? 1 : 0
  path           = "signet-pki-root/root/sign-intermediate"
  disable_read   = true
  disable_delete = true
  write_fields   = ["ca_chain"]
  data_json = jsonencode(merge(local.ca_subject, {
    common_name     = "Signet issuing CA of ${var.trust_domain}"
    csr             = vault_generic_endpoint.csr[0].write_data["csr"]
    max_path_length = 0
    ttl             = "43800h"
  }))
  depends_on = [vault_generic_endpoint.root]
  lifecycle {
    ignore_changes = [data_json]
  }
}

locals {
  can_sign = !var.adopt && (local.root_in_vault || var.signed_intermediate != null)
  chain = local.root_in_vault && !var.adopt ? join("\n", jsondecode(vault_generic_endpoint.signed[0].write_data["ca_chain"])) : (
    var.signed_intermediate == null ? "" : trimspace(var.signed_intermediate)
  )
}

# Vault makes the first issuer that it gets, and whose key it has, the one that signs.
resource "vault_generic_endpoint" "issuing" {
  count          = local.can_sign ? 1 : 0
  path           = "signet-pki/intermediate/set-signed"
  disable_read   = true
  disable_delete = true
  data_json      = jsonencode({ certificate = local.chain })
  depends_on     = [vault_generic_endpoint.csr]
}

# The certificate of the key that signs policies, by which sidecars know it.
resource "vault_generic_endpoint" "policy_csr" {
  count          = var.adopt ? 0 : 1
  path           = "signet-transit/keys/policy/csr"
  disable_read   = true
  disable_delete = true
  write_fields   = ["csr"]
  data_json      = jsonencode({})
  depends_on     = [vault_generic_endpoint.setting]
}

resource "vault_pki_secret_backend_sign" "policy" {
  count                 = local.can_sign ? 1 : 0
  backend               = "signet-pki"
  name                  = "policy"
  csr                   = vault_generic_endpoint.policy_csr[0].write_data["csr"]
  common_name           = ""
  uri_sans              = ["spiffe://${var.trust_domain}/signet/policy"]
  exclude_cn_from_sans  = true
  ttl                   = var.policy_certificate_ttl
  auto_renew            = true
  min_seconds_remaining = local.policy_certificate_seconds / 2
  depends_on            = [vault_generic_endpoint.issuing, vault_generic_endpoint.setting]
}

resource "vault_generic_endpoint" "policy_certificate" {
  count          = local.can_sign ? 1 : 0
  path           = "signet-transit/keys/policy/set-certificate"
  disable_read   = true
  disable_delete = true
  data_json = jsonencode({
    certificate_chain = join("\n", concat(
      [vault_pki_secret_backend_sign.policy[0].certificate],
      vault_pki_secret_backend_sign.policy[0].ca_chain,
    ))
  })
}
