output "names" {
  description = "The delegations, as a run names one (`delegation` of the provider)."
  value       = keys(local.delegations)
}

output "delegations" {
  description = "Each delegation by its name, as `signet delegate show --json` tells it."
  value       = local.delegations
  depends_on  = [vault_generic_endpoint.document]
}

output "environment" {
  description = "What the runs of each delegation are told by environment variables, such as those of a workspace."
  value = {
    for name, each in local.delegations : name => merge(
      { SIGNET_DELEGATION = name },
      var.delegations[name].terraform == null ? {} : { TFC_WORKLOAD_IDENTITY_AUDIENCE = each.audience },
    )
  }
  depends_on = [vault_generic_endpoint.document]
}
