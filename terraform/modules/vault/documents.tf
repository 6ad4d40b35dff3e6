# Documents that are there from the beginning, so that their readers never find nothing. Others write them from then on.
resource "vault_generic_endpoint" "seed" {
  for_each       = { for path, data in local.seeds : path => data if !var.adopt }
  path           = each.key
  disable_read   = true
  disable_delete = true
  data_json      = jsonencode({ data = each.value, options = { cas = 0 } })
  depends_on     = [vault_generic_endpoint.setting]
}

# The layout itself, for `signet vault plan` and `signet vault doctor`.
locals {
  layout = merge(
    {
      trust_domain = var.trust_domain
      svid_ttls    = local.svid_ttls
      tenants      = var.tenants
      broker       = var.broker
      root         = var.root
    },
    var.kubernetes == null ? {} : { kubernetes = var.kubernetes },
    local.public ? { public_url = local.public_url } : {},
  )
}

resource "terraform_data" "layout" {
  input = jsonencode(local.layout)
}

# A write has to name the version that it follows, which no provider knows: the document is taken away with its history and written anew.
resource "vault_generic_endpoint" "layout_history" {
  path         = "signet/metadata/layout"
  disable_read = true
  data_json    = jsonencode({ max_versions = 10 })
  depends_on   = [vault_generic_endpoint.setting]
  lifecycle {
    replace_triggered_by = [terraform_data.layout]
  }
}

resource "vault_generic_endpoint" "layout" {
  path           = "signet/data/layout"
  disable_read   = true
  disable_delete = true
  data_json      = jsonencode({ data = jsondecode(terraform_data.layout.input), options = { cas = 0 } })
  depends_on     = [vault_generic_endpoint.layout_history]
  lifecycle {
    replace_triggered_by = [vault_generic_endpoint.layout_history]
  }
}
