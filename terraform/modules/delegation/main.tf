# For each delegation what `signet delegate` makes: an auth method that knows the issuer's keys, roles and policies, and the document that brokers go
# by. What of them is the same for all is in settings.tf.json and policies/, which are rendered from the code of `signet delegate`.

locals {
  mount    = "signet-jwt-${var.issuer.name}"
  jwks_url = coalesce(var.issuer.jwks_url, "${trimsuffix(var.issuer.url, "/")}/.well-known/jwks")
  issuer   = { name = var.issuer.name, url = var.issuer.url, jwks_url = local.jwks_url }
  tenants  = { for tenant in var.layout.tenants : tenant.name => tenant.id_prefixes }

  delegations = {
    for name, each in var.delegations : name => merge(
      {
        name        = name
        issuer      = merge(local.issuer, var.issuer.ca == "" ? {} : { ca = var.issuer.ca })
        audience    = each.audience
        tenant      = each.tenant
        id_prefixes = each.id_prefixes
        entries     = each.entries
        networks    = each.networks != null ? each.networks : var.layout.broker.networks
        ttl         = each.ttl
        claims = each.terraform == null ? each.claims : {
          terraform_organization_id = each.terraform.organization
          terraform_project_id      = each.terraform.project
          terraform_workspace_id    = each.terraform.workspace
        }
      },
      each.terraform == null ? {} : { phase = local.phase },
    )
  }

  # Of an issuer without phases every token writes.
  accesses = merge([
    for name, each in local.delegations : {
      for access in(var.delegations[name].terraform == null ? ["write"] : ["write", "read"]) : "${name}_${access}" => {
        delegation = each
        access     = access
        seconds    = tonumber(regex("^[0-9]+", each.ttl)) * { s = 1, m = 60, h = 3600 }[substr(each.ttl, -1, 1)]
        claims     = var.delegations[name].terraform == null ? each.claims : merge(each.claims, { (local.phase.claim) = local.phase[access] })
      }
    }
  ]...)
}

resource "vault_auth_backend" "jwt" {
  path        = local.mount
  type        = "jwt"
  description = "Signet: tokens of runs"
}

resource "vault_generic_endpoint" "config" {
  path = "auth/${vault_auth_backend.jwt.path}/config"
  data_json = jsonencode(merge(local.config, {
    bound_issuer = var.issuer.url
    jwks_url     = local.jwks_url
    jwks_ca_pem  = var.issuer.ca
  }))
  ignore_absent_fields = true
  disable_delete       = true
}

resource "vault_policy" "run" {
  for_each = local.accesses
  name     = "signet-run-${each.key}"
  policy = templatefile("${path.module}/policies/${each.value.access}${each.value.delegation.entries == "" ? "-all" : ""}.hcl.tftpl", {
    name    = each.value.delegation.name
    tenant  = { name = each.value.delegation.tenant, id_prefixes = each.value.delegation.id_prefixes }
    entries = each.value.delegation.entries
    ttls    = var.layout.svid_ttls
  })
}

resource "vault_generic_endpoint" "role" {
  for_each = local.accesses
  path     = "auth/${vault_auth_backend.jwt.path}/role/${each.key}"
  data_json = jsonencode(merge(local.role, {
    bound_audiences        = [each.value.delegation.audience]
    bound_claims           = each.value.claims
    token_policies         = [vault_policy.run[each.key].name]
    token_ttl              = each.value.seconds
    token_explicit_max_ttl = each.value.seconds
    token_max_ttl          = each.value.seconds
    # Vault writes a network of one address without its bits.
    token_bound_cidrs = [for network in each.value.delegation.networks : trimsuffix(network, strcontains(network, ":") ? "/128" : "/32")]
  }))
  ignore_absent_fields = true
  depends_on           = [vault_generic_endpoint.config]
}

resource "terraform_data" "document" {
  for_each = local.delegations
  input    = jsonencode(each.value)
  lifecycle {
    precondition {
      condition     = contains(keys(local.tenants), each.value.tenant)
      error_message = "${each.value.tenant} is not a tenant of the layout."
    }
    precondition {
      condition = alltrue([for prefix in each.value.id_prefixes :
        anytrue([for own in lookup(local.tenants, each.value.tenant, []) : startswith(prefix, own)])
      ])
      error_message = "A prefix of ${each.key} is not below one of ${each.value.tenant}."
    }
    precondition {
      condition     = each.value.entries != "" || alltrue([for own in lookup(local.tenants, each.value.tenant, []) : contains(each.value.id_prefixes, own)])
      error_message = "IDs of ${each.key} are narrower than those of ${each.value.tenant} and entries are not: its runs could write entries of other IDs. Say how the names of its entries begin."
    }
  }
}

# A write has to name the version that it follows, which no provider knows: the document is taken away with its history and written anew. It
# goes before roles and policies do, and no run is let in any more.
resource "vault_generic_endpoint" "history" {
  for_each     = local.delegations
  path         = "signet/metadata/delegations/${each.key}"
  disable_read = true
  data_json    = jsonencode({ max_versions = 10 })
  depends_on   = [vault_generic_endpoint.role, vault_policy.run]
  lifecycle {
    replace_triggered_by = [terraform_data.document[each.key]]
  }
}

resource "vault_generic_endpoint" "document" {
  for_each       = local.delegations
  path           = "signet/data/delegations/${each.key}"
  disable_read   = true
  disable_delete = true
  data_json      = jsonencode({ data = jsondecode(terraform_data.document[each.key].input), options = { cas = 0 } })
  depends_on     = [vault_generic_endpoint.history]
  lifecycle {
    replace_triggered_by = [vault_generic_endpoint.history[each.key]]
  }
}
