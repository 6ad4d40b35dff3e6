output "id" {
  description = "The host's id: tenant and name."
  value       = signet_host.this.id
}

output "spiffe_id" {
  description = "The SPIFFE ID that its workload gets."
  value       = signet_host.this.spiffe_id
}

output "environment" {
  description = "The sidecar's settings on the machine."
  value       = local.environment
}

output "cloud_init" {
  description = "User data without any secret: the broker's address, the authority that is pinned, settings, package. With `join` the code is still to be written to /etc/signet/join-code, and the sidecar to be started again."
  value       = "#cloud-config\n${yamlencode(local.document)}"
}

output "cloud_init_with_code" {
  description = "With `join`: the same with a code in it that is good once, for a write-only argument or a provisioner. It is in no plan and no state. Null otherwise."
  ephemeral   = true
  value = var.proof.join ? "#cloud-config\n${yamlencode(merge(local.document, {
    write_files = concat(local.files, [{
      path        = local.code_file
      permissions = "0600"
      content     = "${one(ephemeral.signet_join.code[*].code)}\n"
    }])
  }))}" : local.ephemeral_null
}

locals {
  # An ephemeral output takes nothing else, and `terraform.applying` is what makes a null one.
  ephemeral_null = terraform.applying ? null : null
}
