output "names" {
  description = "The delegations, as a run names one (`delegation` of the provider)."
  value       = keys(local.delegations)
}
