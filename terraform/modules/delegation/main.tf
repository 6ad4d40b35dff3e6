# What of a delegation follows from what it is given is in rendered/, which is what `signet delegate` writes and `signet vault doctor` goes by.

# The layout as Vault keeps it, where none is given.
data "vault_generic_secret" "layout" {
  count = var.layout == null ? 1 : 0
  path  = "signet/layout"
}

locals {
  words = jsondecode(file("${path.module}/rendered/words.json"))

  kept = one([for secret in data.vault_generic_secret.layout : jsondecode(nonsensitive(secret.data_json))])
  layout = {
    ttls     = try(var.layout.svid_ttls, tolist(local.kept.svid_ttls))
    networks = try(var.layout.broker.networks, tolist(local.kept.broker.networks))
    tenants = {
      for name, prefixes in try(
        { for tenant in var.layout.tenants : tenant.name => tenant.id_prefixes },
        { for tenant in local.kept.tenants : tenant.name => tolist(tenant.id_prefixes) },
      ) : name => prefixes
    }
  }

  issuer = {
    name     = var.issuer.name
    url      = var.issuer.url
    jwks_url = coalesce(var.issuer.jwks_url, "${trimsuffix(var.issuer.url, "/")}/.well-known/jwks")
    ca       = trimspace(var.issuer.ca)
  }

  seconds = { s = 1, m = 60, h = 3600 }
  delegations = {
    for name, given in var.delegations : name => {
      name        = name
      issuer      = local.issuer
      audience    = given.audience
      claims      = try(zipmap(local.words.terraform_ids, [given.terraform.organization, given.terraform.project, given.terraform.workspace]), given.ci == null ? given.ansible : given.ci)
      phase       = given.terraform == null ? null : local.words.terraform_phase
      tenant      = given.tenant
      id_prefixes = given.id_prefixes
      entries     = given.entries
      networks    = length(given.networks) > 0 ? given.networks : local.layout.networks
      ttl         = given.ttl
      seconds     = tonumber(regex("^[0-9]+", given.ttl)) * local.seconds[substr(given.ttl, -1, 1)]
    }
  }
  # One for each phase; without phases every token writes.
  runs = merge([
    for name, delegation in local.delegations : {
      for access in delegation.phase == null ? ["write"] : ["write", "read"] : "${name}_${access}" => merge(delegation, {
        access = access
        claims = merge(delegation.claims, try({ (delegation.phase.claim) = delegation.phase[access] }, {}))
        # Vault writes a network of one address without its bits.
        networks = [for network in delegation.networks : replace(replace(network, "/(\\.[0-9]+)/32$/", "$1"), "/(:.*)/128$/", "$1")]
        ttls     = local.layout.ttls
      })
    }
  ]...)

  config    = jsondecode(templatefile("${path.module}/rendered/config.json.tftpl", { issuer = local.issuer }))
  roles     = { for id, run in local.runs : id => jsondecode(templatefile("${path.module}/rendered/role.json.tftpl", run)) }
  policies  = { for id, run in local.runs : id => templatefile("${path.module}/rendered/signet-run-${run.access}.hcl.tftpl", run) }
  documents = { for name, delegation in local.delegations : name => jsondecode(templatefile("${path.module}/rendered/document.json.tftpl", delegation)) }
}

# What is to be, held against the layout before anything is written.
resource "terraform_data" "delegation" {
  for_each = local.documents
  input    = jsonencode(each.value.document)
  lifecycle {
    precondition {
      condition     = contains(keys(local.layout.tenants), local.delegations[each.key].tenant)
      error_message = "${local.delegations[each.key].tenant} is not a tenant of the layout."
    }
    precondition {
      condition = alltrue([
        for prefix in local.delegations[each.key].id_prefixes :
        anytrue([for own in try(local.layout.tenants[local.delegations[each.key].tenant], []) : startswith(prefix, own)])
      ])
      error_message = "A prefix of ${each.key} is not below a prefix of its tenant."
    }
    # Whoever may write the document of an entry says what its workload must show, and so takes the ID it gives, whatever that is.
    precondition {
      condition = local.delegations[each.key].entries != "" || alltrue([
        for own in try(local.layout.tenants[local.delegations[each.key].tenant], []) : contains(local.delegations[each.key].id_prefixes, own)
      ])
      error_message = "IDs of ${each.key} are narrower than those of its tenant and entries are not: its runs could write entries of other IDs. Say how the names of its entries begin."
    }
  }
}

resource "vault_auth_backend" "issuer" {
  path        = local.config.mount
  type        = local.words.method.type
  description = local.words.method.description
  depends_on  = [terraform_data.delegation]
}

resource "vault_generic_endpoint" "config" {
  path                 = local.config.path
  data_json            = jsonencode(local.config.body)
  ignore_absent_fields = true
  disable_delete       = true
  depends_on           = [vault_auth_backend.issuer]
}

resource "vault_policy" "run" {
  for_each   = local.policies
  name       = local.roles[each.key].body.token_policies[0]
  policy     = each.value
  depends_on = [terraform_data.delegation]
}

resource "vault_generic_endpoint" "role" {
  for_each             = local.roles
  path                 = each.value.path
  data_json            = jsonencode(each.value.body)
  ignore_absent_fields = true
  depends_on           = [vault_generic_endpoint.config, vault_policy.run]
}

# The document is what brokers go by: last to come and first to go. A write has to name the version that it follows, which no provider
# knows: it is taken away with its history and written anew, and a run that asks in between is refused.
resource "vault_generic_endpoint" "history" {
  for_each     = local.documents
  path         = each.value.history
  disable_read = true
  data_json    = jsonencode({ max_versions = 10 })
  depends_on   = [vault_generic_endpoint.role]
  lifecycle {
    replace_triggered_by = [terraform_data.delegation[each.key]]
  }
}

resource "vault_generic_endpoint" "document" {
  for_each             = local.documents
  path                 = each.value.path
  ignore_absent_fields = true
  disable_delete       = true
  data_json            = jsonencode({ data = jsondecode(terraform_data.delegation[each.key].input), options = { cas = 0 } })
  depends_on           = [vault_generic_endpoint.history]
  lifecycle {
    replace_triggered_by = [vault_generic_endpoint.history[each.key]]
  }
}
