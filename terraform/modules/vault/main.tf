# What stands where and how it is set is in layout.tf.json and policies/, which are rendered from the layout that `signet vault apply`
# and `signet vault doctor` go by.

locals {
  root_in_vault = var.root == "vault"
  public        = var.public_url != null
  public_url    = trimsuffix(coalesce(var.public_url, "none"), "/")

  seconds      = { s = 1, m = 60, h = 3600 }
  ttl_seconds  = { for ttl in var.svid_ttls : ttl => tonumber(regex("^[0-9]+", ttl)) * local.seconds[substr(ttl, -1, 1)] }
  svid_ttls    = [for row in sort([for ttl, seconds in local.ttl_seconds : format("%09d %s", seconds, ttl)]) : split(" ", row)[1]]
  shortest_ttl = min(values(local.ttl_seconds)...)
  longest_ttl  = max(values(local.ttl_seconds)...)
  # As Vault gives a token's networks back: one address without its bits.
  token_networks = [for network in var.broker.networks : trimsuffix(network, strcontains(network, ":") ? "/128" : "/32")]
  secret_id_ttl  = tonumber(regex("^[0-9]+", var.broker.secret_id_ttl)) * local.seconds[substr(var.broker.secret_id_ttl, -1, 1)]

  policy_certificate_seconds = tonumber(trimsuffix(var.policy_certificate_ttl, "h")) * 3600
}

# The role that signs SVIDs names the token engine's accessor.
data "vault_auth_backend" "token" {
  path = "token"
}

# Before anything else: what is set up is in the audit. And while Vault enables its first device, a request that is under way may be answered with an
# error although it took effect, which the provider then repeats in vain.
resource "vault_audit" "file" {
  count = var.audit_file == null ? 0 : 1
  type  = "file"
  options = {
    file_path = var.audit_file
  }
}

resource "vault_mount" "engine" {
  for_each              = { for id, engine in local.engines : id => engine if engine.when }
  path                  = each.value.path
  type                  = each.value.type
  options               = each.value.options
  max_lease_ttl_seconds = each.value.max_lease_ttl_seconds
  depends_on            = [vault_audit.file]
}

resource "vault_auth_backend" "method" {
  for_each = { for id, method in local.auth_methods : id => method if method.when }
  path     = each.value.path
  type     = each.value.type

  depends_on = [vault_audit.file]
}

resource "vault_generic_endpoint" "tune" {
  for_each             = { for id, tune in local.tunes : id => tune if tune.when }
  path                 = each.value.path
  data_json            = jsonencode(each.value.body)
  ignore_absent_fields = true
  disable_delete       = true
  depends_on           = [vault_mount.engine, vault_auth_backend.method]
}

# A certificate carries the addresses that hold when it is made, so these come before the CAs.
resource "vault_generic_endpoint" "address" {
  for_each             = { for id, address in local.addresses : id => address if address.when }
  path                 = each.value.path
  data_json            = jsonencode(each.value.body)
  ignore_absent_fields = true
  disable_delete       = true
  depends_on           = [vault_mount.engine]
}

# Roles, keys and configuration. They go with their engines; only a role in an auth method of others is taken out by itself.
resource "vault_generic_endpoint" "setting" {
  for_each             = { for id, setting in local.settings : id => setting if setting.when }
  path                 = each.value.path
  data_json            = jsonencode(each.value.body)
  ignore_absent_fields = true
  disable_delete       = each.key != "kubernetes-broker"
  # The issuing CA also gives a new KV engine the moment that it needs.
  depends_on = [vault_auth_backend.method, vault_policy.signet, vault_generic_endpoint.csr, vault_generic_endpoint.issuing]
}

# Vault takes no change of a key but at its config, which cannot be read.
resource "vault_generic_endpoint" "key_config" {
  for_each       = { for id, setting in local.settings : id => setting if startswith(setting.path, "signet-transit/keys/") }
  path           = "${each.value.path}/config"
  data_json      = jsonencode({ deletion_allowed = each.value.body.deletion_allowed })
  disable_read   = true
  disable_delete = true
  lifecycle {
    replace_triggered_by = [vault_generic_endpoint.setting[each.key]]
  }
}

locals {
  policy_words = {
    trust_domain     = var.trust_domain
    ttls             = local.svid_ttls
    dns              = var.broker.dns
    kubernetes       = var.kubernetes != null
    kubernetes_mount = try(var.kubernetes.mount, "")
  }
  policies = merge(
    {
      for name in ["broker", "author", "operator", "admin", "viewer"] :
      "signet-${name}" => templatefile("${path.module}/policies/signet-${name}.hcl.tftpl", local.policy_words)
    },
    {
      for ttl in local.svid_ttls :
      "signet-workload-${ttl}" => templatefile("${path.module}/policies/signet-workload.hcl.tftpl", merge(local.policy_words, { ttl = ttl }))
    },
    {
      for tenant in var.tenants :
      "signet-registrar-${replace(tenant.name, "/", ".")}" => templatefile("${path.module}/policies/signet-registrar.hcl.tftpl", merge(local.policy_words, { tenant = tenant }))
    },
  )
}

resource "vault_policy" "signet" {
  for_each = local.policies
  name     = each.key
  policy   = each.value

  depends_on = [vault_audit.file]
}

data "vault_approle_auth_backend_role_id" "broker" {
  backend    = "signet-approle"
  role_name  = "broker"
  depends_on = [vault_generic_endpoint.setting]
}
